import type { Cursor, Option, Page, Request } from './messages.js'

/** How far a pull has got: what was given to its client, and so where to go on after a cut. */
export class Position {
  readonly #request: Request
  #cursor: Cursor | null
  #expectsAnswer = true

  constructor(request: Request) {
    this.#request = request
    const { cursor } = request.payload
    this.#cursor = cursor._tag === 'Some' ? cursor.value : null
  }

  get requestId(): Request['id'] {
    return this.#request.id
  }

  /** Who takes the updates; null for a pull that ends with the stored pages. */
  get caller(): string | null {
    return this.#request.payload.rpcContext?.callerContext.durableObjectId ?? null
  }

  get cursor(): Option<Cursor> {
    return this.#cursor === null ? { _tag: 'None' } : { _tag: 'Some', value: this.#cursor }
  }

  /** The client's request, from here on. */
  get request(): Request {
    return { ...this.#request, payload: { ...this.#request.payload, cursor: this.cursor } }
  }

  /**
   * Go on behind a page.
   *
   * @returns whether it tells the client anything: an empty one does if it is the first, or if more
   *   was announced
   */
  take(page: Page): boolean {
    const tells = page.batch.length > 0 || this.#expectsAnswer
    const last = page.batch.at(-1)?.eventEncoded.seqNum
    const eventSequenceNumber = last ?? this.#cursor?.eventSequenceNumber ?? 0
    this.#cursor = { backendId: page.backendId, eventSequenceNumber }
    this.#expectsAnswer = page.pageInfo._tag !== 'NoMore'
    return tells
  }
}
