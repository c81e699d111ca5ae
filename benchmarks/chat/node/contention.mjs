// Many want one lock at the same moment; exactly one may get it.
import { runName } from './adapters.mjs'
import { closedLoop, expect, generatorBusy, named } from './loop.mjs'
import { LOCK_TTL_MS } from './messages.mjs'

const CONTENDERS = 64

/** Rounds per second: all ask at once, one gets the lock and releases it, then the next round. */
export async function contend(state, plan) {
  const thread = `slack:C${runName()}:1.000100`
  const round = async () => {
    const asked = Array.from({ length: CONTENDERS }, () => state.acquireLock(thread, LOCK_TTL_MS))
    const winners = (await Promise.all(asked)).filter((lock) => lock !== null)
    expect(winners.length === 1, `${winners.length} of ${CONTENDERS} hold one lock`)
    await state.releaseLock(winners[0])
  }
  const run = await closedLoop({ ...plan, concurrency: 1, makeCaller: () => round })
  return { ...named('', run), ...generatorBusy([run]) }
}
