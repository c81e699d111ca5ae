/** The codes of the protocol, and `timeout`: no answer came in time. */
export type ChatStateErrorCode =
  | 'malformed'
  | 'invalid'
  | 'unknown_operation'
  | 'unknown_shard'
  | 'unauthorized'
  | 'forbidden'
  | 'conflict'
  | 'too_large'
  | 'busy'
  | 'frozen'
  | 'unavailable'
  | 'internal'
  | 'timeout'

/** An operation that the server refused, or that did not come through. */
export class ChatStateError extends Error {
  override readonly name = 'ChatStateError'

  /**
   * @param code why; a server newer than this package may tell codes that are not listed
   * @param message for people
   * @param field the member of the operation that is at fault, where there is one
   */
  constructor(
    readonly code: ChatStateErrorCode | (string & {}),
    message: string,
    readonly field?: string,
  ) {
    super(message)
  }
}

/** A method was called before `connect()` or after `disconnect()`. */
export class NotConnectedError extends Error {
  override readonly name = 'NotConnectedError'

  constructor(message = 'DjangoStateAdapter is not connected. Call connect() first.') {
    super(message)
  }
}
