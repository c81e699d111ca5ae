/** A timer that has not run yet. */
export interface Timer {
  cancel(): void
}

/** Time as the client sees it; tests put their own in its place. */
export interface Clock {
  /** The wall clock, in epoch milliseconds; what locks and queue entries are told in. */
  now(): number
  /** Milliseconds that only grow, whatever happens to the wall clock; what is waited for. */
  monotonic(): number
  /**
   * Run `run` after `ms` milliseconds. A process may end before, unless `keepsAlive`.
   */
  after(ms: number, run: () => void, keepsAlive?: boolean): Timer
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run, keepsAlive = false) {
    const timer: unknown = setTimeout(run, ms)
    if (!keepsAlive) unref(timer)
    return { cancel: () => clearTimeout(timer as NodeJS.Timeout) }
  },
}

// outside of Node a timer is a number, and keeps nothing alive
function unref(timer: unknown): void {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer) {
    ;(timer as NodeJS.Timeout).unref()
  }
}

/**
 * How long to wait before attempt `attempt` (0 is the first repetition): `firstMs`, doubled each
 * time up to `mostMs`, a quarter more or less, so that clients cut together do not come back together.
 */
export function backoffMs(
  attempt: number,
  { firstMs, mostMs, random }: { firstMs: number; mostMs: number; random: () => number },
): number {
  return Math.min(mostMs, firstMs * 2 ** Math.min(attempt, 30)) * (0.75 + random() / 2)
}
