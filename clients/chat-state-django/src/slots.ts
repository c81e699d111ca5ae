/**
 * Items by a number that only grows and is never given twice.
 *
 * Items come and go at the rate of the calls, in nearly the order of their numbers, which is where
 * a Map does badly: each time it is laid out anew the old table, once the collector took it for
 * long-lived, keeps alive what was in it. Here a slot is used again as soon as its item is gone.
 */
export class Slots<T extends { readonly id: number }> {
  #slots: (T | undefined)[] = new Array<T | undefined>(64).fill(undefined)
  #nextId = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The number for the next item; `put` it before asking for another. */
  nextId(): number {
    while (this.#slots[this.#nextId & (this.#slots.length - 1)] !== undefined) this.#nextId++
    return this.#nextId++
  }

  put(item: T): void {
    this.#slots[item.id & (this.#slots.length - 1)] = item
    this.#size++
    if (this.#size * 2 > this.#slots.length) this.#grow()
  }

  get(id: number): T | undefined {
    const item = this.#slots[id & (this.#slots.length - 1)]
    return item?.id === id ? item : undefined
  }

  delete(id: number): void {
    if (this.get(id) === undefined) return
    this.#slots[id & (this.#slots.length - 1)] = undefined
    this.#size--
  }

  /** All items, by number. */
  all(): T[] {
    const items = this.#slots.filter((item) => item !== undefined)
    return items.sort((one, other) => one.id - other.id)
  }

  // two items that had slots of their own have so in twice as many
  #grow(): void {
    const items = this.#slots
    this.#slots = new Array<T | undefined>(items.length * 2).fill(undefined)
    for (const item of items) {
      if (item !== undefined) this.#slots[item.id & (this.#slots.length - 1)] = item
    }
  }
}
