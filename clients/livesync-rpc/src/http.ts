import { RefusedError, UnreachableError } from './errors.js'

const LENGTH_BYTES = 4
/** What a later try may be spared: too slow, too often, and whatever is the server's own fault. */
const PASSING = new Set([408, 425, 429])

/**
 * Post a request; gives the messages of the answer as they come.
 *
 * @throws UnreachableError for a fault that passes, also where the answer breaks off
 * @throws RefusedError for a refusal
 */
export async function* post(
  url: string,
  body: Uint8Array,
  options: { headers: Readonly<Record<string, string>>; signal: AbortSignal },
): AsyncGenerator<Uint8Array, void> {
  const headers = { ...options.headers, 'content-type': 'application/msgpack' }
  const { signal } = options
  const response = await passing(fetch(url, { method: 'POST', body, headers, signal }), signal)
  if (response.status !== 200) throw await failure(response)
  if (response.body !== null) yield* messages(response.body, signal)
}

async function failure(response: Response): Promise<Error> {
  const text = (await response.text().catch(() => '')).slice(0, 400)
  if (response.status < 500 && !PASSING.has(response.status)) {
    return new RefusedError(response.status, text)
  }
  return new UnreachableError(`${response.status}: ${text}`)
}

async function* messages(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const reader = stream.getReader()
  let rest: Uint8Array = new Uint8Array()
  try {
    for (;;) {
      const { done, value } = await passing(reader.read(), signal)
      if (done) break
      rest = joined(rest, value)
      for (let end = wholeEnd(rest); end <= rest.length; end = wholeEnd(rest)) {
        yield rest.subarray(LENGTH_BYTES, end)
        rest = rest.subarray(end)
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
  if (rest.length > 0) throw new UnreachableError('the answer breaks off')
}

/** Where the first message ends; infinite while not even its length is there. */
function wholeEnd(data: Uint8Array): number {
  if (data.length < LENGTH_BYTES) return Number.POSITIVE_INFINITY
  return LENGTH_BYTES + new DataView(data.buffer, data.byteOffset).getUint32(0)
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const whole = new Uint8Array(first.length + second.length)
  whole.set(first)
  whole.set(second, first.length)
  return whole
}

async function passing<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await work
  } catch (error) {
    signal.throwIfAborted()
    const { cause } = error as { cause?: unknown }
    throw new UnreachableError(String(cause ?? error))
  }
}
