// What handling one message asks of the state, call by call, as Chat SDK 4.41 was seen to do it.
import { runName } from './adapters.mjs'
import { closedLoop, expect, generatorBusy, named } from './loop.mjs'
import * as bot from './messages.mjs'

const THREADS_OF_A_CALLER = 8
const MESSAGES_OF_A_CONVERSATION = 20

const MIXES = {
  light: { handle: light, messages: 1 },
  ai: { handle: ai, messages: 1 },
  queue: { handle: queue, messages: 4 },
}

/** Messages per second of one mix, and the time of each, at every concurrency of the plan. */
export async function measureMix(state, plan) {
  const { handle, messages } = MIXES[plan.mix]
  const figures = {}
  const runs = []
  for (const concurrency of plan.concurrency) {
    const callers = await Promise.all(
      Array.from({ length: concurrency }, () => subscribedThreads(state)),
    )
    const run = await closedLoop({
      ...{ concurrency, warmUpS: plan.warmUpS, seconds: plan.seconds },
      makeCaller: (index) => {
        let count = 0
        return () => handle(state, callers[index], count++)
      },
    })
    runs.push(run)
    const perSecond = run.perSecond * messages
    Object.assign(figures, named(`c${concurrency}_`, { ...run, perSecond }))
  }
  return { ...figures, ...generatorBusy(runs) }
}

async function subscribedThreads(state) {
  const channel = `slack:C${runName()}`
  const threads = Array.from({ length: THREADS_OF_A_CALLER }, (_, i) => `${channel}:${i}.000100`)
  await Promise.all(threads.map((thread) => state.subscribe(thread)))
  return { channel, threads }
}

// 4 calls: the strategy "drop", a subscribed thread, a handler that only posts
async function light(state, { threads }, count) {
  const thread = threads[count % threads.length]
  await claim(state, thread, count)
  const lock = await acquired(state, thread)
  expect((await state.isSubscribed(thread)) === true, 'isSubscribed of a subscribed thread')
  await state.releaseLock(lock)
}

// 14 calls: history of thread and channel, thread state, transcripts of both sides
async function ai(state, { channel, threads }, count) {
  const thread = threads[count % threads.length]
  // conversations end: lists would otherwise grow longer under a faster adapter
  const conversation = Math.floor(count / MESSAGES_OF_A_CONVERSATION)
  const before = count % MESSAGES_OF_A_CONVERSATION
  const history = `msg-history:${channel}:${conversation}`
  const transcript = `transcripts:user:${channel}:${conversation}`
  const stateKey = `thread-state:${channel}:${conversation}`
  const [asked, answered] = [`${count}.q`, `${count}.a`]

  await claim(state, thread, count)
  await Promise.all([
    state.appendToList(history, bot.message(asked, thread), bot.HISTORY),
    state.appendToList(`${history}:channel`, bot.message(asked, thread), bot.HISTORY),
  ])
  const lock = await acquired(state, thread)
  expect((await state.isSubscribed(thread)) === true, 'isSubscribed of a subscribed thread')
  await state.appendToList(transcript, bot.message(asked, thread), bot.TRANSCRIPT)
  expectList(await state.getList(transcript), 2 * before + 1, asked)
  expectList(await state.getList(history), 2 * before + 1, asked)
  expectStep(await state.get(stateKey), before)
  expectStep(await state.get(stateKey), before) // setState reads before it merges
  await state.set(stateKey, bot.threadState(before + 1), bot.STATE_TTL_MS)
  await state.appendToList(history, bot.message(answered, thread), bot.HISTORY)
  await state.appendToList(transcript, bot.message(answered, thread), bot.TRANSCRIPT)
  await state.releaseLock(lock)
}

// 22 calls for 4 messages: one is handled, three arrive meanwhile and wait
async function queue(state, { threads }, count) {
  const thread = threads[count % threads.length]
  await claim(state, thread, `${count}.0`)
  const lock = await acquired(state, thread)
  expect((await state.isSubscribed(thread)) === true, 'isSubscribed of a subscribed thread')
  const late = [1, 2, 3].map((number) => `${count}.${number}`)
  await Promise.all(late.map((id) => enqueueLate(state, thread, id)))
  const waited = []
  for (let entry; (entry = await state.dequeue(thread)) !== null; ) waited.push(entry.message.id)
  expect(waited.sort().join() === late.join(), `dequeue of ${late}, got ${waited}`)
  expect((await state.isSubscribed(thread)) === true, 'isSubscribed of a subscribed thread')
  expect((await state.dequeue(thread)) === null, 'dequeue of an empty queue')
  await state.releaseLock(lock)
}

async function enqueueLate(state, thread, id) {
  await claim(state, thread, id)
  expect((await state.acquireLock(thread, bot.LOCK_TTL_MS)) === null, 'acquireLock of a held lock')
  expect((await state.queueDepth(thread)) < 3, 'queueDepth')
  const depth = await state.enqueue(thread, bot.queueEntry(id, thread), bot.MAX_QUEUE_SIZE)
  expect(depth >= 1 && depth <= 3, `depth after enqueue: ${depth}`)
}

async function claim(state, thread, id) {
  const isNew = await state.setIfNotExists(`dedupe:${thread}:${id}`, true, bot.DEDUPE_TTL_MS)
  expect(isNew === true, 'setIfNotExists of a new message')
}

async function acquired(state, thread) {
  const lock = await state.acquireLock(thread, bot.LOCK_TTL_MS)
  expect(lock !== null && lock.threadId === thread, 'acquireLock of a free lock')
  return lock
}

function expectList(list, length, newest) {
  const isRight = list.length === length && list.at(-1).id === newest
  expect(isRight, `a list of ${length} up to ${newest}, got ${list.length} up to ${list.at(-1)?.id}`)
}

function expectStep(value, step) {
  expect((value?.step ?? 0) === step, `state at step ${step}, got ${JSON.stringify(value)}`)
}
