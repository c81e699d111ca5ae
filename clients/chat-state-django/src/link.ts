import type { Clock, Timer } from './clock.js'
import { ChatStateError } from './errors.js'
import { type Answer, KEEP_ALIVE, type Received, readFrame, type Welcome } from './protocol.js'
import type { OpenSocket, Socket } from './websocket.js'

/** A silent link asks the server for a sign of life after this long ... */
const QUIET_MS = 20_000
/** ... or after this long while answers are due ... */
const QUIET_WHILE_WAITING_MS = 5_000
/** ... and is dead when none came within this. */
const DEAD_AFTER_MS = 10_000

export interface LinkOptions {
  readonly url: string
  readonly token: string
  /** How long a handshake may take, the server's answer to the token included. */
  readonly connectTimeoutMs: number
  readonly openSocket: OpenSocket
  readonly clock: Clock
}

export interface LinkHandlers {
  onWelcome(welcome: Welcome): void
  onAnswers(answers: readonly Answer[]): void
  /** The server refused a frame as a whole. */
  onRefusedFrame(error: ChatStateError): void
  /** Comes once and last. An error with the code `unauthorized` will come again on the next link. */
  onLost(error: ChatStateError): void
  /** Whether answers are due. */
  isWaiting(): boolean
}

/** One socket's life: the handshake, frames both ways, signs of life. */
export class Link {
  readonly #options: LinkOptions
  readonly #handlers: LinkHandlers
  #socket: Socket | null = null
  #ended = false
  #lastError: ChatStateError | null = null
  #timer: Timer
  #heardAt = 0
  #askedAt: number | null = null

  /** Begins at once. */
  constructor(options: LinkOptions, handlers: LinkHandlers) {
    this.#options = options
    this.#handlers = handlers
    const { clock, connectTimeoutMs } = options
    this.#timer = clock.after(connectTimeoutMs, () =>
      this.#lose(unavailable(`no answer from ${options.url} within ${connectTimeoutMs} ms`)),
    )
    void this.#open()
  }

  /** Send a frame; only after `onWelcome`. */
  send(text: string): void {
    this.#socket?.send(text)
  }

  /** Close in good order. No handler is called any more. */
  close(): void {
    if (this.#ended) return
    this.#end()
    this.#socket?.close()
  }

  async #open(): Promise<void> {
    const { url, token, openSocket } = this.#options
    try {
      const socket = await openSocket(url, {
        onOpen: () => this.#socket?.send(JSON.stringify({ token })),
        onText: (text) => this.#receive(text),
        onClose: (code, reason) => this.#lose(this.#whyClosed(code, reason)),
      })
      this.#socket = socket
      // closed or given up while it was being made
      if (this.#ended) socket.discard()
    } catch (error) {
      this.#lose(unavailable(`cannot connect to ${url}: ${String(error)}`))
    }
  }

  #receive(text: string): void {
    if (this.#ended) return
    this.#heardAt = this.#options.clock.monotonic()
    this.#askedAt = null
    let received: Received
    try {
      received = readFrame(text)
    } catch (error) {
      this.#lose(unavailable(`${this.#options.url} does not speak the protocol: ${String(error)}`))
      return
    }
    switch (received.kind) {
      case 'answers':
        return this.#handlers.onAnswers(received.answers)
      case 'welcome':
        this.#watch()
        return this.#handlers.onWelcome(received.welcome)
      case 'error':
        this.#lastError = received.error
        // the close that follows will tell
        if (received.error.code === 'unauthorized') return
        return this.#handlers.onRefusedFrame(received.error)
    }
  }

  #whyClosed(code: number, reason: string): ChatStateError {
    // the code would be 1008, but not every server that Django runs on can send it
    if (this.#lastError?.code === 'unauthorized') return this.#lastError
    const known = reason || this.#lastError?.message
    const why = known ? `: ${known}` : ''
    return unavailable(`the connection to ${this.#options.url} was closed (code ${code}${why})`)
  }

  #watch(): void {
    const { clock } = this.#options
    const now = clock.monotonic()
    this.#timer.cancel()
    if (this.#askedAt !== null) {
      const left = this.#askedAt + DEAD_AFTER_MS - now
      if (left <= 0) {
        this.#lose(unavailable(`${this.#options.url} gave no sign of life for ${DEAD_AFTER_MS} ms`))
        return
      }
      this.#timer = clock.after(left, () => this.#watch())
      return
    }
    const bound = this.#handlers.isWaiting() ? QUIET_WHILE_WAITING_MS : QUIET_MS
    const left = this.#heardAt + bound - now
    if (left <= 0) {
      this.#askedAt = now
      this.send(KEEP_ALIVE)
    }
    // at the latest after the short bound: an operation may have been sent in between
    const delay = left <= 0 ? DEAD_AFTER_MS : Math.min(left, QUIET_WHILE_WAITING_MS)
    this.#timer = clock.after(delay, () => this.#watch())
  }

  #lose(error: ChatStateError): void {
    if (this.#ended) return
    this.#end()
    this.#socket?.discard()
    this.#handlers.onLost(error)
  }

  #end(): void {
    this.#ended = true
    this.#timer.cancel()
  }
}

function unavailable(message: string): ChatStateError {
  return new ChatStateError('unavailable', message)
}
