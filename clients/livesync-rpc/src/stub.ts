import { RefusedError, UnreachableError } from './errors.js'
import { follow, type Found, type Server, stored } from './follow.js'
import { post } from './http.js'
import { type Chunk, type Exit, pack, packStreamed, readRequest, refused } from './messages.js'
import type { Request } from './messages.js'
import { type RpcStubOptions, serverOf } from './options.js'
import { Pause } from './pause.js'
import { Position } from './position.js'

/**
 * What `makeDoRpcSync` calls in place of a Durable Object's stub.
 *
 * A request is held while the server is away, so that a restart is nothing but a delay.
 */
export class RpcStub {
  readonly #server: Server
  readonly #options: RpcStubOptions
  readonly #closing = new AbortController()
  readonly #subscriptions = new Map<string, AbortController>()

  constructor(options: RpcStubOptions) {
    this.#server = serverOf(options)
    this.#options = options
  }

  /** Carry out the request that the client has encoded; for a pull, gives its messages one by one. */
  async rpc(bytes: Uint8Array): Promise<Uint8Array | ReadableStream<Uint8Array>> {
    const request = readRequest(bytes)
    if (request.tag === 'SyncDoRpc.Pull') return this.#pull(request)
    return this.#call(request, bytes)
  }

  /** End every live pull; nothing can be called any more. */
  close(): void {
    this.#closing.abort(new Error('the stub is closed'))
  }

  async #call(request: Request, bytes: Uint8Array): Promise<Uint8Array> {
    const { headers, httpUrl } = this.#server
    const { signal } = this.#closing
    const pause = new Pause()
    for (;;) {
      try {
        for await (const message of post(httpUrl, bytes, { headers, signal })) return message
      } catch (error) {
        if (error instanceof RefusedError) return pack(refused(request.id, error.message))
        if (!(error instanceof UnreachableError)) throw error
        // a ping asks whether the server is there; a push that was stored meanwhile is told so
        if (request.tag === 'SyncDoRpc.Ping') return pack(refused(request.id, error.message))
      }
      await pause.wait(signal)
    }
  }

  #pull(request: Request): ReadableStream<Uint8Array> {
    const given = new AbortController()
    const messages = this.#messages(
      new Position(request),
      AbortSignal.any([given.signal, this.#closing.signal]),
    )
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await messages.next()
          if (done) controller.close()
          else controller.enqueue(value)
        },
        cancel: () => given.abort(new Error('the pull was given up')),
      },
      { highWaterMark: 0 }, // nothing is read ahead: who takes nothing is sent nothing
    )
  }

  async *#messages(position: Position, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const pause = new Pause()
    const exit = yield* encoded(stored(this.#server, position, pause, signal))
    const goesOn = exit.exit._tag === 'Success' && position.caller !== null
    if (!goesOn) {
      yield pack(exit)
    } else if (this.#options.syncUpdateRpc === undefined) {
      yield pack(yield* encoded(follow(this.#server, position, pause, signal)))
    } else {
      yield pack(exit)
      void this.#deliver(position, position.caller)
    }
  }

  /** Hand updates to the client's callback, until it pulls again. */
  async #deliver(position: Position, caller: string): Promise<void> {
    this.#subscriptions.get(caller)?.abort(new Error('the client pulls again'))
    const given = new AbortController()
    this.#subscriptions.set(caller, given)
    const signal = AbortSignal.any([given.signal, this.#closing.signal])
    // the client opens its mailbox for updates when its stream has ended; what comes before is lost
    await new Promise((resolve) => setTimeout(resolve, 0))
    try {
      const found = follow(this.#server, position, new Pause(), signal)
      for (let next = await found.next(); ; next = await found.next()) {
        if (next.done) return this.#warn('a live pull was ended by the server', next.value.exit)
        await this.#handOver(next.value.chunk)
      }
    } catch (error) {
      if (!signal.aborted) this.#warn('syncUpdateRpc failed, and gets no more updates', error)
    } finally {
      given.abort()
    }
  }

  async #handOver(chunk: Chunk): Promise<void> {
    const { storeId, syncUpdateRpc, updates } = this.#options
    await syncUpdateRpc?.(updates === 'bytes' ? pack(chunk) : chunk, storeId)
  }

  #warn(text: string, detail: unknown): void {
    const logger = this.#options.logger ?? console
    logger.warn(`livesync-rpc, store ${this.#options.storeId}: ${text}`, detail)
  }
}

/** Make a stub; see `RpcStubOptions`. */
export function createRpcStub(options: RpcStubOptions): RpcStub {
  return new RpcStub(options)
}

async function* encoded(found: AsyncGenerator<Found, Exit>): AsyncGenerator<Uint8Array, Exit> {
  for (;;) {
    const { done, value } = await found.next()
    if (done) return value
    yield value.bytes ?? packStreamed(value.chunk)
  }
}
