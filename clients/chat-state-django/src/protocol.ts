// The wire format, docs/chat-protocol.md. Pure: text in, values out, and back.
import { ChatStateError } from './errors.js'

export const SOCKET_PATH = '/api/chat/v1/socket'

/** Answers are kept for 60 s; whoever repeats an operation stops this long after its first sending. */
export const REPEAT_FOR_MS = 45_000

/** A frame that says nothing but that its sender is there. */
export const KEEP_ALIVE = '[]'

/** What the server tells once it knows the token. */
export interface Welcome {
  readonly namespace: string
  readonly maxFrameBytes: number
  readonly maxOperations: number
}

/** An operation, all but its id. */
export interface Operation {
  readonly name: string
  /** The members as JSON text, without braces. */
  readonly members: string
  /** Whether it is not idempotent, and so carries a request id. */
  readonly once: boolean
  /** How long it may take, waiting included; else as long as the protocol lets clients repeat. */
  readonly timeoutMs?: number
}

export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly items?: readonly unknown[]
  readonly more?: boolean
  readonly error?: ChatStateError
}

/** What a frame of the server holds. */
export type Received =
  | { readonly kind: 'answers'; readonly answers: readonly Answer[] }
  | { readonly kind: 'welcome'; readonly welcome: Welcome }
  | { readonly kind: 'error'; readonly error: ChatStateError }

/** The members of an operation by name, each as JSON text; one that is undefined is left out. */
export type Members = Readonly<Record<string, string | undefined>>

const ONCE = new Set(['acquireLock', 'setIfNotExists', 'appendToList', 'enqueue', 'dequeue'])

/** Put an operation together. The texts go into the frame as they are: no value is encoded twice. */
export function operation(name: string, members: Members, timeoutMs?: number): Operation {
  let text = `"op":"${name}"`
  for (const member in members) {
    const json = members[member]
    if (json !== undefined) text += `,"${member}":${json}`
  }
  const once = ONCE.has(name)
  return timeoutMs === undefined
    ? { name, members: text, once }
    : { name, members: text, once, timeoutMs }
}

/**
 * A value as JSON text; what JSON has no text for (undefined, a function) is null.
 *
 * @throws TypeError for a BigInt or a circular value
 */
export function jsonText(value: unknown): string {
  return JSON.stringify(value) ?? 'null'
}

/**
 * A count or a ttl that may be left out: undefined, null, 0, NaN and Infinity all mean "no bound".
 * What is no number at all is for the server to refuse: '10' does not mean "for ever".
 */
export function optionalNumber(value: number | null | undefined): string | undefined {
  if (value === undefined || value === null || value === 0) return undefined
  return typeof value === 'number' && !Number.isFinite(value) ? undefined : jsonText(value)
}

/**
 * Read a frame of the server.
 *
 * @throws SyntaxError for what is no JSON, TypeError for JSON of another shape
 */
export function readFrame(text: string): Received {
  const frame: unknown = JSON.parse(text)
  if (Array.isArray(frame)) return { kind: 'answers', answers: frame.map(readAnswer) }
  if (!isObject(frame)) throw new TypeError('the server sent a frame that is no object or array')
  if (frame['error'] !== undefined) return { kind: 'error', error: readError(frame['error']) }
  return { kind: 'welcome', welcome: readWelcome(frame) }
}

function readAnswer(answer: unknown): Answer {
  if (!isObject(answer) || typeof answer['id'] !== 'number') {
    throw new TypeError('the server sent an answer without an id')
  }
  const { error } = answer
  if (error === undefined) return answer as unknown as Answer
  return { id: answer['id'], error: readError(error) }
}

function readError(error: unknown): ChatStateError {
  const { code, message, field } = isObject(error) ? error : {}
  return new ChatStateError(
    typeof code === 'string' ? code : 'internal',
    typeof message === 'string' ? message : 'the server refused without a reason',
    typeof field === 'string' ? field : undefined,
  )
}

function readWelcome(frame: Readonly<Record<string, unknown>>): Welcome {
  const { namespace, maxFrameBytes, maxOperations } = frame
  if (typeof namespace !== 'string') throw new TypeError('the server did not tell the namespace')
  return {
    namespace,
    maxFrameBytes: typeof maxFrameBytes === 'number' ? maxFrameBytes : 1_048_576,
    maxOperations: typeof maxOperations === 'number' ? maxOperations : 1_000,
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
