import { DjangoStateAdapter, type DjangoStateOptions, type SocketHandlers } from '../src/index.js'
import type { Clock, Socket, Timer } from '../src/index.js'

interface PlannedTimer {
  readonly at: number
  readonly run: () => void
}

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #elapsed = 0
  #timers = new Set<PlannedTimer>()
  wallBase = 1_700_000_000_000

  now(): number {
    return this.wallBase + this.#elapsed
  }

  monotonic(): number {
    return this.#elapsed
  }

  after(ms: number, run: () => void): Timer {
    const timer = { at: this.#elapsed + ms, run }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  get planned(): number {
    return this.#timers.size
  }

  /** Let time pass, one timer after the other, with everything that each sets off. */
  async pass(ms: number): Promise<void> {
    const until = this.#elapsed + ms
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= until)
      const next = due.sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#timers.delete(next)
      this.#elapsed = Math.max(this.#elapsed, next.at)
      next.run()
      await settled()
    }
    this.#elapsed = until
  }
}

/** Everything that is under way without a timer has happened. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export interface SentOperation {
  id: number
  op: string
  requestId?: string
  [member: string]: unknown
}

export const WELCOME = {
  namespace: 'test',
  rights: ['read', 'write'],
  maxFrameBytes: 1_048_576,
  maxOperations: 1_000,
  answersKeptMs: 60_000,
}

/** The server's end of one socket, played by the test. */
export class FakeSocket implements Socket {
  readonly texts: string[] = []
  isClosed = false

  constructor(
    readonly url: string,
    readonly handlers: SocketHandlers,
  ) {}

  send(text: string): void {
    this.texts.push(text)
  }

  close(): void {
    this.isClosed = true
  }

  discard(): void {
    this.isClosed = true
  }

  /** The frames of operations, without the token. */
  get frames(): SentOperation[][] {
    return this.texts.slice(1).map((text) => JSON.parse(text) as SentOperation[])
  }

  get operations(): SentOperation[] {
    return this.frames.flat()
  }

  get lastOperation(): SentOperation {
    const operation = this.operations.at(-1)
    if (operation === undefined) throw new Error('no operation was sent')
    return operation
  }

  open(): void {
    this.handlers.onOpen()
  }

  tell(frame: unknown): void {
    this.handlers.onText(JSON.stringify(frame))
  }

  /** Answer the last operation. */
  answer(value: unknown): void {
    this.tell([{ id: this.lastOperation.id, value }])
  }

  refuse(code: string, message = 'refused'): void {
    this.tell([{ id: this.lastOperation.id, error: { code, message } }])
  }

  cut(code = 1006, reason = ''): void {
    this.isClosed = true
    this.handlers.onClose(code, reason)
  }
}

/** An adapter with a clock and sockets of the test's. */
export class Bench {
  readonly clock = new FakeClock()
  readonly sockets: FakeSocket[] = []
  readonly warnings: unknown[][] = []
  readonly state: DjangoStateAdapter

  constructor(options: DjangoStateOptions = {}) {
    const log = (...line: unknown[]) => void this.warnings.push(line)
    this.state = new DjangoStateAdapter(
      {
        ...{ url: 'http://chat.test', token: 'chat_secret' },
        ...{ logger: { warn: log, error: log }, ...options },
      },
      {
        clock: this.clock,
        random: () => 0.5,
        openSocket: async (url, handlers) => {
          const socket = new FakeSocket(url, handlers)
          this.sockets.push(socket)
          return socket
        },
      },
    )
  }

  /** The last socket that was opened. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1)
    if (socket === undefined) throw new Error('no socket was opened')
    return socket
  }

  /** Accept the last socket. */
  async accept(): Promise<FakeSocket> {
    await settled()
    this.socket.open()
    this.socket.tell(WELCOME)
    await settled()
    return this.socket
  }

  /** Let the pause before the next attempt pass, and accept it. */
  async acceptNext(): Promise<FakeSocket> {
    const { length } = this.sockets
    await this.clock.pass(3_000)
    if (this.sockets.length === length) throw new Error('it did not connect again')
    return this.accept()
  }

  static async connected(options: DjangoStateOptions = {}): Promise<Bench> {
    const bench = new Bench(options)
    const connecting = bench.state.connect()
    await bench.accept()
    await connecting
    return bench
  }
}
