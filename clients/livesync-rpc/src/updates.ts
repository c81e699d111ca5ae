import type { Answer, Cursor, Option, RequestId } from './messages.js'
import { discard, openSocket, type WebSocketLike } from './websocket.js'

/** A silent socket is asked for a sign of life this often, and is dead after one more. */
const PING_EVERY_MS = 10_000

/** What a live pull asks for on its socket. */
export interface Subscription {
  readonly requestId: RequestId
  readonly storeId: string
  readonly cursor: Option<Cursor>
}

/**
 * The answers to a live pull on a socket of its own, each acknowledged when the next is asked for.
 * Ends when the socket does, whatever ended it.
 */
export async function* updates(
  url: string,
  subscription: Subscription,
  signal: AbortSignal,
): AsyncGenerator<Answer, void> {
  const link = new Link(url, subscription)
  const end = (): void => link.end()
  signal.addEventListener('abort', end)
  try {
    for (;;) {
      const answer = await link.next()
      if (answer === null) return
      yield answer
      link.acknowledge()
    }
  } finally {
    signal.removeEventListener('abort', end)
    link.end()
  }
}

/** One socket: what came and was not taken yet, and whether the server still lives. */
class Link {
  readonly #subscription: Subscription
  #socket: WebSocketLike | null = null
  #found: Answer[] = []
  #hasEnded = false
  #heard = true
  #wake: () => void = () => {}
  readonly #timer = setInterval(() => this.#watch(), PING_EVERY_MS)

  constructor(url: string, subscription: Subscription) {
    this.#subscription = subscription
    void this.#open(url)
  }

  /** The next answer; null when the socket has ended and nothing is left of what it brought. */
  async next(): Promise<Answer | null> {
    while (this.#found.length === 0) {
      if (this.#hasEnded) return null
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#found.shift() ?? null
  }

  acknowledge(): void {
    this.#send({ _tag: 'Ack', requestId: this.#subscription.requestId })
  }

  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    clearInterval(this.#timer)
    if (this.#socket !== null) discard(this.#socket)
    this.#wake()
  }

  async #open(url: string): Promise<void> {
    try {
      const socket = await openSocket(url)
      socket.addEventListener('error', () => this.end())
      socket.addEventListener('close', () => this.end())
      socket.addEventListener('open', () => this.#subscribe())
      socket.addEventListener('message', ({ data }) => this.#receive(data))
      this.#socket = socket
      if (this.#hasEnded) discard(socket)
    } catch {
      this.end() // whoever follows tries again, and hears over HTTP what is wrong
    }
  }

  #subscribe(): void {
    const { requestId, storeId, cursor } = this.#subscription
    const payload = { storeId, live: true, cursor }
    const tag = 'SyncWsRpc.Pull'
    this.#send({ _tag: 'Request', id: requestId, tag, payload, headers: [] })
  }

  #receive(data: unknown): void {
    this.#heard = true
    if (this.#hasEnded || typeof data !== 'string') return
    const message = JSON.parse(data) as Answer | { readonly _tag: 'Pong' }
    if (message._tag === 'Pong') return
    this.#found.push(message)
    this.#wake()
  }

  #watch(): void {
    if (!this.#heard) return this.end()
    this.#heard = false
    this.#send({ _tag: 'Ping' })
  }

  #send(message: unknown): void {
    if (this.#hasEnded || this.#socket === null) return
    try {
      this.#socket.send(JSON.stringify(message))
    } catch {
      // not open yet: `#watch` will find it silent
    }
  }
}
