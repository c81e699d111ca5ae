const FIRST_MS = 100
const LONGEST_MS = 3_000

/** The waits between tries: 0.1 s, 0.2 s, up to 3 s, each shortened by up to a half. */
export class Pause {
  #nextMs = FIRST_MS

  /** A try has succeeded. */
  reset(): void {
    this.#nextMs = FIRST_MS
  }

  /** @throws what the signal was aborted with */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const delayMs = this.#nextMs * (0.5 + Math.random() / 2)
    this.#nextMs = Math.min(2 * this.#nextMs, LONGEST_MS)
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, delayMs)
      signal.addEventListener('abort', done)
      function done(): void {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
    })
    signal.throwIfAborted()
  }
}
