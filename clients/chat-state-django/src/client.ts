import { Calls, type Limits, type Reply } from './calls.js'
import { backoffMs, type Clock, type Timer } from './clock.js'
import { type ChatStateError, NotConnectedError } from './errors.js'
import { Link } from './link.js'
import type { Answer, Operation } from './protocol.js'
import type { OpenSocket } from './websocket.js'

const RECONNECT = { firstMs: 100, mostMs: 3_000 }

/** How long `stop` waits for answers that are due. */
const DRAIN_MS = 2_000

/** Where the client's warnings go; a Chat SDK `Logger` and `console` both are one. */
export interface ClientLogger {
  warn(message: string, ...details: unknown[]): void
  error(message: string, ...details: unknown[]): void
}

export interface ClientOptions {
  readonly url: string
  readonly token: string
  readonly connectTimeoutMs: number
  readonly openSocket: OpenSocket
  readonly clock: Clock
  readonly random: () => number
  readonly logger: ClientLogger
}

/**
 * Operations over a link that is made again whenever it is lost.
 *
 * One life: `start`, any number of calls, `stop`. What is called while there is no link waits for
 * the next; what was sent on a lost link is sent again on the next, with the same request id.
 */
export class Client {
  readonly #options: ClientOptions
  readonly #calls: Calls
  #link: Link | null = null
  /** What the present link's server takes; null while there is no link that works. */
  #limits: Limits | null = null
  #isFlushPlanned = false
  #reconnect: Timer | null = null
  #attempts = 0
  #trouble = ''
  #end: Error | null = null
  #started: { resolve: () => void; reject: (error: Error) => void } | null = null

  constructor(options: ClientOptions) {
    this.#options = options
    this.#calls = new Calls({
      clock: options.clock,
      random: options.random,
      requestPrefix: randomPrefix(),
      onOutgoing: () => this.#planFlush(),
      whyUnreachable: () => (this.#limits === null ? this.#trouble : ''),
    })
  }

  /** Why the client is of no use any more: it was stopped, or the server refused the token. */
  get end(): Error | null {
    return this.#end
  }

  /**
   * Make the first link.
   *
   * @throws ChatStateError when that failed; the client then has ended
   */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject }
      this.#openLink()
    })
  }

  /** Do an operation. Operations called in one tick leave in one frame. */
  call(operation: Operation): Promise<Reply> {
    return this.#end === null ? this.#calls.add(operation) : Promise.reject(this.#end)
  }

  /** End: take no more calls, wait a moment for the answers that are due, let go of everything. */
  async stop(): Promise<void> {
    if (this.#end !== null) return
    this.#end = new NotConnectedError()
    if (this.#limits !== null) await this.#drained()
    this.#finish(stoppedBefore())
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(DRAIN_MS, resolve, true)
      void this.#calls.drained().then(() => {
        timer.cancel()
        resolve()
      })
    })
  }

  #openLink(): void {
    this.#reconnect = null
    this.#link = new Link(this.#options, {
      onWelcome: (welcome) => {
        this.#attempts = 0
        this.#limits = welcome
        this.#started?.resolve()
        this.#started = null
        this.#flush()
      },
      onAnswers: (answers) => this.#receive(answers),
      onRefusedFrame: (error) =>
        this.#options.logger.error(`chat state server: ${error.code}: ${error.message}`),
      onLost: (error) => this.#linkLost(error),
      isWaiting: () => this.#calls.size > 0,
    })
  }

  #receive(answers: readonly Answer[]): void {
    for (const answer of answers) this.#calls.receive(answer)
    if (this.#calls.canSend) this.#planFlush()
  }

  #planFlush(): void {
    if (this.#isFlushPlanned) return
    this.#isFlushPlanned = true
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    this.#isFlushPlanned = false
    if (this.#limits === null) return
    for (const frame of this.#calls.takeFrames(this.#limits)) this.#link?.send(frame)
  }

  #linkLost(error: ChatStateError): void {
    const hadWorked = this.#limits !== null
    this.#link = null
    this.#limits = null
    this.#trouble = error.message
    this.#calls.linkLost()
    if (error.code === 'unauthorized' || this.#started !== null) {
      if (hadWorked) this.#options.logger.error(`chat state server: ${error.message}`)
      this.#finish(error)
      return
    }
    if (this.#end !== null) {
      this.#finish(stoppedBefore()) // what has no answer by now gets none
      return
    }
    if (hadWorked) this.#options.logger.warn(`${error.message}; connecting again`)
    const { clock, random } = this.#options
    const delay = backoffMs(this.#attempts++, { ...RECONNECT, random })
    this.#reconnect = clock.after(delay, () => this.#openLink())
  }

  #finish(error: Error): void {
    this.#end ??= error
    this.#limits = null
    this.#reconnect?.cancel()
    this.#link?.close()
    this.#link = null
    this.#calls.failAll(error)
    this.#started?.reject(error)
    this.#started = null
  }
}

function stoppedBefore(): NotConnectedError {
  return new NotConnectedError(
    'DjangoStateAdapter is not connected: disconnect() was called before the answer came.',
  )
}

// 128 random bits: an id that no client of the namespace ever used
function randomPrefix(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
