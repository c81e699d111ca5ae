import { Packr } from 'msgpackr'

/** Text from a client on Effect 3 (LiveStore 0.4.0), a number from one on Effect 4. */
export type RequestId = string | number

export type Option<T> = { readonly _tag: 'None' } | { readonly _tag: 'Some'; readonly value: T }

/** Where a client is: the history it knows, and the last number it has seen of it. */
export interface Cursor {
  readonly backendId: string
  readonly eventSequenceNumber: number
}

export interface Request {
  readonly _tag: string
  readonly id: RequestId
  readonly tag: string
  readonly payload: PullPayload
}

/** The payload of a pull, which is live if it says who takes the updates. */
export interface PullPayload {
  readonly cursor: Option<Cursor>
  readonly rpcContext?: { readonly callerContext: { readonly durableObjectId: string } }
}

/** A PullResponse, as far as the stub looks into it. */
export interface Page {
  readonly batch: readonly { readonly eventEncoded: { readonly seqNum: number } }[]
  readonly pageInfo: { readonly _tag: 'NoMore' | 'MoreKnown' | 'MoreUnknown' }
  readonly backendId: string
}

/** What the 0.4.0 client's `handleSyncUpdateRpc` takes: a chunk of a live pull. */
export interface Chunk {
  readonly _tag: 'Chunk'
  readonly requestId: RequestId
  readonly values: readonly [Page]
}

export interface Exit {
  readonly _tag: 'Exit'
  readonly requestId: RequestId
  readonly exit: { readonly _tag: 'Success' } | { readonly _tag: 'Failure'; readonly cause: unknown }
}

/** What no request can be blamed for. */
export interface Defect {
  readonly _tag: 'Defect'
  readonly defect: unknown
}

export type Answer = Chunk | Exit | Defect

const packr = new Packr({ useRecords: true })

/** Read what the client wants to send: an array of one request. */
export function readRequest(bytes: Uint8Array): Request {
  const [request] = packr.unpack(bytes) as [Request]
  return request
}

/** Read one message of the server: an array of one answer. */
export function readAnswer(bytes: Uint8Array): Answer {
  const [answer] = packr.unpack(bytes) as [Answer]
  return answer
}

/** The bytes of a message, as client and server write it. */
export function pack(message: unknown): Uint8Array {
  return packr.pack([message])
}

/** A chunk of a live pull as its stream has it: each value repeats the request's id, as text. */
export function packStreamed(chunk: Chunk): Uint8Array {
  const values = chunk.values.map((page) => ({ rpcRequestId: String(chunk.requestId), ...page }))
  return pack({ ...chunk, values })
}

/** The end of a request that the server will not carry out, however often it is asked. */
export function refused(requestId: RequestId, message: string): Exit {
  const error = { cause: { name: 'RefusedError', message }, _tag: 'UnknownError' }
  const fail = { _tag: 'Fail', error }
  // clients of the next generation are told causes as a list
  const cause = typeof requestId === 'number' ? [fail] : fail
  return { _tag: 'Exit', requestId, exit: { _tag: 'Failure', cause } }
}

/** Whether a failure passes: told to a pull it would end the client's syncing for good. */
export function isPassing({ exit }: Exit): boolean {
  if (exit._tag === 'Success') return false
  const [cause] = [exit.cause].flat() as { error?: { cause?: { name?: string } } }[]
  return cause?.error?.cause?.name === 'StorageUnavailableError'
}
