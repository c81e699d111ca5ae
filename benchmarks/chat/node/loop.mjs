// The closed loop that every load is made of, and what is told of it.

/**
 * Let `concurrency` callers call one after the other until the time is over.
 *
 * `makeCaller(index)` makes one caller: an async function that makes one call. It returns `false`
 * when nothing is left to call, which ends the loop for all.
 *
 * Counted is what ended after the warm-up; the loop goes on until that are as many calls as there
 * are callers. Gives `perSecond`, `p50Ms`, `p99Ms` and `busy`, the share of one CPU that this
 * process took.
 */
export async function closedLoop({ concurrency, warmUpS, seconds, makeCaller }) {
  const cpu = process.cpuUsage()
  const start = performance.now()
  const from = start + warmUpS * 1000
  const latencies = []
  let closedAt

  async function work(call) {
    let before = performance.now()
    while (closedAt === undefined) {
      const isLast = (await call()) === false
      const after = performance.now()
      if (closedAt !== undefined) return
      if (!isLast && after >= from) latencies.push(after - before)
      const isOver = after >= from + seconds * 1000 && latencies.length >= concurrency
      if (isLast || isOver) closedAt = after
      before = after
    }
  }

  await Promise.all(Array.from({ length: concurrency }, (_, index) => work(makeCaller(index))))
  if (latencies.length === 0) throw new Error('the stock was used up before the warm-up was over')
  const busy = busyShare(cpu, performance.now() - start)
  return { ...summary(latencies, closedAt - from), busy }
}

/**
 * Write for a while, so that a new server's files have their size: a log that still grows takes two
 * to three times as long to sync as one whose old parts are written again.
 */
export async function settle(state, seconds) {
  let count = 0
  const makeCaller = () => () => state.set(`settle:${count % 100}`, { step: count++ }, 60_000)
  await closedLoop({ concurrency: 1, warmUpS: 0, seconds, makeCaller })
}

/** Do `count` things, `make(number)`, up to 64 at a time. */
export async function fill(count, make) {
  let next = 0
  const work = async () => {
    while (next < count) await make(next++)
  }
  await Promise.all(Array.from({ length: Math.min(64, count) }, work))
}

/** Throw unless `condition` holds: a wrong answer makes every figure worthless. */
export function expect(condition, what) {
  if (!condition) throw new Error(`wrong answer: ${what}`)
}

/** Figures under the names that the tables use, such as `c16_p50_ms`. */
export function named(prefix, { perSecond, p50Ms, p99Ms }) {
  return { [`${prefix}per_s`]: perSecond, [`${prefix}p50_ms`]: p50Ms, [`${prefix}p99_ms`]: p99Ms }
}

/** The figure that all loads end with. */
export function generatorBusy(runs) {
  return { generator_busy: Math.max(...runs.map((run) => run.busy)) }
}

function summary(latencies, milliseconds) {
  const sorted = Float64Array.from(latencies).sort()
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return { perSecond: sorted.length / (milliseconds / 1000), p50Ms: at(0.5), p99Ms: at(0.99) }
}

function busyShare(before, milliseconds) {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / milliseconds
}
