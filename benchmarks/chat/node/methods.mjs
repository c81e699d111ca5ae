// Every method for itself. What a method uses up (a lock to release) is stocked before.
import { runName } from './adapters.mjs'
import { closedLoop, expect, fill, generatorBusy, named } from './loop.mjs'
import * as bot from './messages.mjs'

const QUEUE_LENGTH = 10
const SHORT_LIST = 20
const LONG_LIST = 100
const LONG_LISTS = 8
const STOCK_FACTOR = 2
const LEAST_STOCK = 256

/** Calls per second and the time of each, for every method at every concurrency of the plan. */
export async function measureMethods(state, plan) {
  const phases = PHASES.filter(([method]) => method in state)
  const figures = {}
  const runs = []
  const measure = async (stock, [method, { needs, makeCaller }], concurrency, seconds) => {
    await needs?.(stock, plan.seconds + plan.warmUpS)
    const run = await closedLoop({
      ...{ concurrency, seconds, warmUpS: plan.warmUpS },
      makeCaller: makeCaller(stock),
    })
    stock.perSecond = run.perSecond
    return [method, run]
  }
  for (const concurrency of plan.concurrency) {
    const stock = new Stock(state)
    for (const phase of phases) {
      const [method, run] = await measure(stock, phase, concurrency, plan.seconds)
      Object.assign(figures, named(`${method}_c${concurrency}_`, run))
      runs.push(run)
    }
  }
  return { ...figures, ...generatorBusy(runs) }
}

/** Things in the store, made by one method and needed by another. */
class Stock {
  constructor(state) {
    this.state = state
    this.run = runName()
    this.made = 0
    this.taken = 0
    this.perSecond = 0
    this.threads = []
    this.locks = []
    this.keys = []
    this.queues = []
    this.lists = []
  }

  /** A thread id or key that was never used. */
  fresh(kind) {
    return `${kind}:${this.run}:${this.made++}`
  }

  /** One thing after the other, and again from the start. */
  next(things) {
    return things[this.taken++ % things.length]
  }

  /** Have as many `things` as a phase of this length can use up at twice the last one's speed. */
  async ensure(things, seconds, make) {
    const wanted = Math.max(LEAST_STOCK, Math.ceil(this.perSecond * seconds * STOCK_FACTOR))
    await fill(Math.max(0, wanted - things.length), async () => things.push(await make()))
  }
}

async function newThread(stock) {
  const thread = stock.fresh('slack:C1')
  await stock.state.subscribe(thread)
  return thread
}

async function newLock(stock) {
  const lock = await stock.state.acquireLock(stock.fresh('slack:C1'), bot.LOCK_TTL_MS)
  expect(lock !== null, 'acquireLock of a free lock')
  return lock
}

async function newKey(stock) {
  const key = stock.fresh('thread-state')
  await stock.state.set(key, bot.threadState(key), bot.STATE_TTL_MS)
  return key
}

async function newQueue(stock) {
  const thread = stock.fresh('slack:C1')
  for (let number = 0; number < QUEUE_LENGTH; number++) await enqueue(stock, thread, number)
  return thread
}

async function newLongList(stock) {
  const key = stock.fresh('msg-history')
  for (let number = 0; number < LONG_LIST; number++) await append(stock, key, number)
  return key
}

async function enqueue(stock, thread, number) {
  const entry = bot.queueEntry(String(number), thread)
  const depth = await stock.state.enqueue(thread, entry, bot.MAX_QUEUE_SIZE)
  expect(depth === number + 1, `depth ${number + 1} after enqueue, got ${depth}`)
}

async function append(stock, key, number) {
  await stock.state.appendToList(key, bot.message(String(number), key), bot.HISTORY)
}

/** A caller that makes something new each time and keeps it in the stock. */
function producing(things, make) {
  return (stock) => () => async () => {
    stock[things].push(await make(stock))
  }
}

/** A caller that uses what is in the stock again and again. */
function using(things, use) {
  return (stock) => () => () => use(stock, stock.next(stock[things]))
}

/** A caller that uses up what is in the stock. */
function consuming(things, consume) {
  return (stock) => () => async () => {
    const thing = stock[things].pop()
    if (thing === undefined) return false
    await consume(stock, thing)
    return true
  }
}

/** A caller that goes through `length` steps with one new thing, then takes the next. */
function stepping(kind, length, step) {
  return (stock) => () => {
    let count = 0
    let thing
    return async () => {
      const number = count++ % length
      if (number === 0) thing = stock.fresh(kind)
      await step(stock, thing, number)
    }
  }
}

/** A caller that empties one queue after the other, and looks at the order. */
function draining() {
  return (stock) => () => {
    let number = QUEUE_LENGTH
    let thread
    return async () => {
      if (number === QUEUE_LENGTH) {
        thread = stock.queues.pop()
        number = 0
      }
      if (thread === undefined) return false
      const entry = await stock.state.dequeue(thread)
      expect(entry?.message.id === String(number), `entry ${number} of a queue`)
      number++
      return true
    }
  }
}

const PHASES = [
  ['subscribe', { makeCaller: producing('threads', newThread) }],
  [
    'isSubscribed',
    {
      makeCaller: using('threads', async ({ state }, thread) => {
        expect((await state.isSubscribed(thread)) === true, 'isSubscribed of a subscribed thread')
      }),
    },
  ],
  [
    'unsubscribe',
    {
      needs: (stock, seconds) => stock.ensure(stock.threads, seconds, () => newThread(stock)),
      makeCaller: consuming('threads', ({ state }, thread) => state.unsubscribe(thread)),
    },
  ],
  ['acquireLock', { makeCaller: producing('locks', newLock) }],
  [
    'extendLock',
    {
      makeCaller: using('locks', async ({ state }, lock) => {
        expect((await state.extendLock(lock, bot.LOCK_TTL_MS)) === true, 'extendLock of a held lock')
      }),
    },
  ],
  [
    'releaseLock',
    {
      needs: (stock, seconds) => stock.ensure(stock.locks, seconds, () => newLock(stock)),
      makeCaller: consuming('locks', ({ state }, lock) => state.releaseLock(lock)),
    },
  ],
  [
    'forceReleaseLock',
    {
      needs: (stock, seconds) => stock.ensure(stock.locks, seconds, () => newLock(stock)),
      makeCaller: consuming('locks', ({ state }, lock) => state.forceReleaseLock(lock.threadId)),
    },
  ],
  ['set', { makeCaller: producing('keys', newKey) }],
  [
    'get',
    {
      makeCaller: using('keys', async ({ state }, key) => {
        expect((await state.get(key))?.step === key, 'get of a key that was set')
      }),
    },
  ],
  [
    'delete',
    {
      needs: (stock, seconds) => stock.ensure(stock.keys, seconds, () => newKey(stock)),
      makeCaller: consuming('keys', ({ state }, key) => state.delete(key)),
    },
  ],
  [
    'setIfNotExists',
    {
      makeCaller: (stock) => () => async () => {
        const key = stock.fresh('dedupe')
        const isNew = await stock.state.setIfNotExists(key, true, bot.DEDUPE_TTL_MS)
        expect(isNew === true, 'setIfNotExists of a new key')
      },
    },
  ],
  ['appendToList', { makeCaller: stepping('transcripts', SHORT_LIST, append) }],
  [
    'getList',
    {
      needs: (stock) => fill(LONG_LISTS, async () => stock.lists.push(await newLongList(stock))),
      makeCaller: using('lists', async ({ state }, key) => {
        const list = await state.getList(key)
        const isRight = list.length === LONG_LIST && list.at(-1).id === String(LONG_LIST - 1)
        expect(isRight, `getList of ${LONG_LIST}, got ${list.length}`)
      }),
    },
  ],
  ['enqueue', { makeCaller: stepping('slack:C1', QUEUE_LENGTH, enqueue) }],
  [
    'queueDepth',
    {
      needs: async (stock, seconds) => {
        const wanted = Math.ceil((stock.perSecond * seconds * STOCK_FACTOR) / QUEUE_LENGTH) + 64
        await fill(wanted, async () => stock.queues.push(await newQueue(stock)))
      },
      makeCaller: using('queues', async ({ state }, thread) => {
        expect((await state.queueDepth(thread)) === QUEUE_LENGTH, 'queueDepth')
      }),
    },
  ],
  ['dequeue', { makeCaller: draining() }],
]
