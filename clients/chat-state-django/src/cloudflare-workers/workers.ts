/** What a class of a Durable Object extends; outside of Workers nobody makes one. */
export class DurableObject {
  constructor(
    readonly ctx: unknown,
    readonly env: unknown,
  ) {}
}
