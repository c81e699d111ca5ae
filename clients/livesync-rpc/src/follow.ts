import { RefusedError, UnreachableError } from './errors.js'
import { post } from './http.js'
import { type Chunk, type Exit, isPassing, pack, readAnswer, refused } from './messages.js'
import type { Pause } from './pause.js'
import type { Position } from './position.js'
import { updates } from './updates.js'

/** One store of a server. */
export interface Server {
  readonly storeId: string
  readonly httpUrl: string
  readonly socketUrl: string
  readonly headers: Readonly<Record<string, string>>
}

/** A page for the client; `bytes` is its message, where it came as one. */
export interface Found {
  readonly chunk: Chunk
  readonly bytes: Uint8Array | null
}

/**
 * The stored pages from a position on, over HTTP. While the server is away it is tried again.
 *
 * @returns how the server ends the request
 * @throws what the signal was aborted with
 */
export async function* stored(
  server: Server,
  position: Position,
  pause: Pause,
  signal: AbortSignal,
): AsyncGenerator<Found, Exit> {
  for (;;) {
    const exit = yield* storedOnce(server, position, signal)
    if (exit !== null) return exit
    await pause.wait(signal)
  }
}

/**
 * Everything behind a position, for ever: what comes, and what was missed while there was no way to
 * the server.
 *
 * @returns how the server ends the pull; it does for a client that knows another history
 * @throws what the signal was aborted with
 */
export async function* follow(
  server: Server,
  position: Position,
  pause: Pause,
  signal: AbortSignal,
): AsyncGenerator<Found, Exit> {
  for (;;) {
    const ended = yield* live(server, position, pause, signal)
    if (ended !== null) return ended
    await pause.wait(signal)
    // over HTTP first: it tells what is wrong, and brings events where no WebSocket gets through
    const exit = yield* stored(server, position, pause, signal)
    if (exit.exit._tag !== 'Success') return exit
  }
}

async function* storedOnce(
  server: Server,
  position: Position,
  signal: AbortSignal,
): AsyncGenerator<Found, Exit | null> {
  const { headers, httpUrl } = server
  try {
    for await (const bytes of post(httpUrl, pack(position.request), { headers, signal })) {
      const answer = readAnswer(bytes)
      if (answer._tag === 'Exit') return isPassing(answer) ? null : answer
      if (answer._tag === 'Defect') return refused(position.requestId, String(answer.defect))
      if (position.take(answer.values[0])) yield { chunk: answer, bytes }
    }
  } catch (error) {
    if (error instanceof RefusedError) return refused(position.requestId, error.message)
    if (!(error instanceof UnreachableError)) throw error
  }
  return null
}

async function* live(
  server: Server,
  position: Position,
  pause: Pause,
  signal: AbortSignal,
): AsyncGenerator<Found, Exit | null> {
  const { requestId, cursor } = position
  const subscription = { requestId, cursor, storeId: server.storeId }
  for await (const answer of updates(server.socketUrl, subscription, signal)) {
    if (answer._tag === 'Defect') return null
    if (answer._tag === 'Exit') return isPassing(answer) ? null : answer
    pause.reset()
    if (position.take(answer.values[0])) yield { chunk: answer, bytes: null }
  }
  return null
}
