import { backoffMs, type Clock, type Timer } from './clock.js'
import { ChatStateError } from './errors.js'
import { type Answer, type Operation, REPEAT_FOR_MS } from './protocol.js'
import { Slots } from './slots.js'

/** Room that a frame leaves below the server's own limits. */
const FRAME_MAX_BYTES = 1_000_000
const FRAME_MAX_OPERATIONS = 1_000

/** Most operations that wait for answers at the server, which refuses more than 10,000. */
const IN_FLIGHT_MAX = 5_000

/** How long an operation may wait for its first sending, while the server cannot be reached. */
const WAIT_MS = 30_000

/** Most UTF-8 bytes of operations without an answer; more are refused, so that memory is bounded. */
const PENDING_MAX_BYTES = 64 * 1024 * 1024

/** How often the calls are looked through for those whose time is up. */
const SWEEP_MS = 250

const RETRY = { firstMs: 50, mostMs: 2_000 }

/** Refusals that pass by themselves: the same operation is sent again. */
const PASSING = new Set(['busy', 'frozen', 'unavailable'])

/** What an operation came to. */
export interface Reply {
  /** The answer's value; the items of a list. */
  readonly value: unknown
  /** When it was first sent, by the wall clock. */
  readonly sentAt: number
}

export interface Limits {
  readonly maxFrameBytes: number
  readonly maxOperations: number
}

export interface CallsOptions {
  readonly clock: Clock
  readonly random: () => number
  /** Unique for ever: request ids begin with it. */
  readonly requestPrefix: string
  /** Called whenever there is something to send. */
  readonly onOutgoing: () => void
  /** What is known of why the server cannot be reached; empty if nothing. */
  readonly whyUnreachable: () => string
}

interface Call {
  readonly id: number
  readonly operation: Operation
  readonly text: string
  readonly bytes: number
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
  /** `resting`: refused for now, to be sent again after a pause. */
  state: 'waiting' | 'sent' | 'resting'
  sentAt: number | null
  /** By the monotonic clock. */
  deadline: number
  attempts: number
  rest: Timer | null
  lastError: ChatStateError | null
  items: unknown[] | null
}

/**
 * Every operation that has no answer yet: which are to be sent, what became of each.
 *
 * An operation keeps its id and request id however often it is sent. It knows no socket.
 */
export class Calls {
  readonly #options: CallsOptions
  readonly #pending = new Slots<Call>()
  #outgoing: Call[] = []
  #inFlight = 0
  #pendingBytes = 0
  #sweep: Timer | null = null
  #onDrained: (() => void) | null = null

  constructor(options: CallsOptions) {
    this.#options = options
  }

  /** How many wait for their answer. */
  get size(): number {
    return this.#pending.size
  }

  /** Whether there is something to send, and room at the server. */
  get canSend(): boolean {
    return this.#outgoing.length > 0 && this.#inFlight < IN_FLIGHT_MAX
  }

  /**
   * Take an operation on.
   *
   * @returns its reply; rejected with a ChatStateError
   */
  add(operation: Operation): Promise<Reply> {
    const { clock, requestPrefix } = this.#options
    const id = this.#pending.nextId()
    const requestId = operation.once ? `,"requestId":"${requestPrefix}-${id}"` : ''
    const text = `{"id":${id},${operation.members}${requestId}}`
    const bytes = byteLength(text)
    if (this.#pendingBytes + bytes > PENDING_MAX_BYTES) {
      const message = `more than ${PENDING_MAX_BYTES} bytes wait for their answer`
      return Promise.reject(new ChatStateError('busy', message))
    }
    return new Promise((resolve, reject) => {
      const deadline = clock.monotonic() + (operation.timeoutMs ?? WAIT_MS)
      // spelt out, not spread: every operation comes by here
      const call: Call = {
        id,
        operation,
        text,
        bytes,
        resolve,
        reject,
        deadline,
        state: 'waiting',
        sentAt: null,
        attempts: 0,
        rest: null,
        lastError: null,
        items: null,
      }
      this.#pending.put(call)
      this.#pendingBytes += bytes
      this.#sweep ??= this.#planSweep()
      this.#enqueue(call)
    })
  }

  /** The frames to send now, in order; what they hold counts as sent. */
  takeFrames(limits: Limits): string[] {
    const maxBytes = Math.min(FRAME_MAX_BYTES, limits.maxFrameBytes)
    const maxOperations = Math.min(FRAME_MAX_OPERATIONS, limits.maxOperations)
    const frames: string[] = []
    let texts: string[] = []
    let frameBytes = 1
    for (const call of this.#takeOutgoing(limits)) {
      const isFull = texts.length === maxOperations || frameBytes + call.bytes >= maxBytes
      if (isFull && texts.length > 0) {
        frames.push(`[${texts.join()}]`)
        texts = []
        frameBytes = 1
      }
      texts.push(call.text)
      frameBytes += call.bytes + 1
      this.#markSent(call)
    }
    if (texts.length > 0) frames.push(`[${texts.join()}]`)
    return frames
  }

  /** Take an answer; one to an operation that was given up is dropped. */
  receive(answer: Answer): void {
    const call = this.#pending.get(answer.id)
    if (call === undefined) return
    if (answer.error !== undefined) {
      this.#receiveError(call, answer.error)
    } else if (answer.items === undefined) {
      this.#resolve(call, answer.value ?? null)
    } else {
      call.items = call.items === null ? [...answer.items] : call.items.concat(answer.items)
      if (!answer.more) this.#resolve(call, call.items)
    }
  }

  /** The link is gone: what was sent on it and has no answer is to be sent again, in order. */
  linkLost(): void {
    this.#outgoing = []
    this.#inFlight = 0
    for (const call of this.#pending.all()) {
      if (call.state === 'resting') continue
      call.state = 'waiting'
      call.items = null
      this.#outgoing.push(call)
    }
  }

  /** Reject every call. */
  failAll(error: Error): void {
    this.#outgoing = []
    for (const call of this.#pending.all()) this.#reject(call, error)
    this.#sweep?.cancel()
    this.#sweep = null
  }

  /** Resolves as soon as nothing waits for its answer. */
  drained(): Promise<void> {
    if (this.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onDrained = resolve
    })
  }

  #enqueue(call: Call): void {
    this.#outgoing.push(call)
    this.#options.onOutgoing()
  }

  *#takeOutgoing(limits: Limits): Generator<Call> {
    const outgoing = this.#outgoing
    this.#outgoing = []
    for (const [index, call] of outgoing.entries()) {
      if (this.#pending.get(call.id) === undefined) continue // its time was up
      if (this.#inFlight >= IN_FLIGHT_MAX) {
        this.#outgoing = outgoing.slice(index)
        return
      }
      if (call.bytes + 2 <= limits.maxFrameBytes) {
        yield call
      } else {
        // sent, it would end the connection, for every other call too
        this.#reject(call, tooLarge(call, limits))
      }
    }
  }

  #markSent(call: Call): void {
    call.state = 'sent'
    this.#inFlight++
    if (call.sentAt !== null) return
    const { clock } = this.#options
    call.sentAt = clock.now()
    if (call.operation.timeoutMs === undefined) call.deadline = clock.monotonic() + REPEAT_FOR_MS
  }

  #receiveError(call: Call, error: ChatStateError): void {
    if (!PASSING.has(error.code)) {
      this.#reject(call, error)
      return
    }
    const { clock, random } = this.#options
    const delay = backoffMs(call.attempts++, { ...RETRY, random })
    call.lastError = error
    call.items = null
    if (clock.monotonic() + delay >= call.deadline) {
      this.#reject(call, error)
      return
    }
    call.state = 'resting'
    this.#inFlight--
    call.rest = clock.after(delay, () => {
      call.state = 'waiting'
      call.rest = null
      this.#enqueue(call)
    })
  }

  #planSweep(): Timer {
    // keeps the process alive, as long as someone waits for an answer
    return this.#options.clock.after(SWEEP_MS, () => this.#giveUpOverdue(), true)
  }

  #giveUpOverdue(): void {
    const now = this.#options.clock.monotonic()
    for (const call of this.#pending.all()) {
      if (call.deadline <= now) this.#reject(call, call.lastError ?? this.#timeout(call))
    }
    this.#sweep = this.size > 0 ? this.#planSweep() : null
  }

  #timeout(call: Call): ChatStateError {
    const why = this.#options.whyUnreachable()
    const what = call.sentAt === null ? 'could not be sent' : 'got no answer'
    const message = `${call.operation.name} ${what} in time${why === '' ? '' : `: ${why}`}`
    return new ChatStateError('timeout', message)
  }

  #resolve(call: Call, value: unknown): void {
    this.#forget(call)
    call.resolve({ value, sentAt: call.sentAt ?? this.#options.clock.now() })
  }

  #reject(call: Call, error: Error): void {
    this.#forget(call)
    call.reject(error)
  }

  #forget(call: Call): void {
    call.rest?.cancel()
    this.#pending.delete(call.id)
    if (call.state === 'sent') this.#inFlight--
    this.#pendingBytes -= call.bytes
    if (this.size > 0 || this.#onDrained === null) return
    this.#onDrained()
    this.#onDrained = null
  }
}

function tooLarge({ operation, bytes }: Call, { maxFrameBytes }: Limits): ChatStateError {
  const field = largestMember(operation)
  const message = `${operation.name} with its ${field} has ${bytes} bytes, above ${maxFrameBytes - 2}`
  return new ChatStateError('too_large', message, field)
}

function largestMember({ members }: Operation): string {
  const values = Object.entries(JSON.parse(`{${members}}`) as Record<string, unknown>)
  const sizes = values.map(([name, value]) => ({ name, size: JSON.stringify(value).length }))
  return sizes.reduce((one, other) => (other.size > one.size ? other : one)).name
}

const encoder = new TextEncoder()

// a UTF-16 unit has at most three bytes: short texts need no exact count to stay below a frame's
function byteLength(text: string): number {
  return text.length < 10_000 ? text.length * 3 : encoder.encode(text).length
}
