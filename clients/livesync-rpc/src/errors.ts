/** The server could not be reached, or not answer; the same request may succeed later. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError'
}

/** The server refuses the request, and will refuse it again. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'

  constructor(
    readonly status: number,
    text: string,
  ) {
    super(`${status}: ${text}`)
  }
}
