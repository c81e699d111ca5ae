import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'

import type { Adapter, Chat, Message } from 'chat'

import { type DjangoStateAdapter, rescueStranded } from '../../src/index.js'
import { bot, fakePlatform, message } from '../bot.js'
import { Notes, needsServer, served } from './server.js'

function newThread(): string {
  return `fake:C-${randomUUID()}:T1`
}

function queued(queuedMessage: Message): Parameters<DjangoStateAdapter['enqueue']>[1] {
  return { message: queuedMessage, enqueuedAt: Date.now(), expiresAt: Date.now() + 90_000 }
}

/** What a bot's handlers were given: the message and those it stands for. */
function watch(chat: Chat): Notes<{ text: string; skipped: string[] }> {
  const notes = new Notes<{ text: string; skipped: string[] }>()
  chat.onNewMention(async (_thread, { text }, context) => {
    notes.add({ text, skipped: (context?.skipped ?? []).map((skipped) => skipped.text) })
  })
  return notes
}

/**
 * Let `late` arrive in the gap: behind the holder's last look into the queue, before its release.
 */
function arriveInTheGap(state: DjangoStateAdapter, arrive: () => Promise<unknown>): void {
  const dequeue = state.dequeue.bind(state)
  let hasArrived = false
  state.dequeue = async (threadId) => {
    const entry = await dequeue(threadId)
    if (entry === null && !hasArrived) {
      hasArrived = true
      await arrive()
    }
    return entry
  }
}

test('without a rescue a message in the gap stays in the queue', needsServer, async (t) => {
  const state = await served(t)
  const platform = fakePlatform()
  const chat = bot(state, platform)
  const handled = watch(chat)
  const thread = newThread()
  arriveInTheGap(state, () => chat.processMessage(platform, thread, message('late', thread)))
  await chat.processMessage(platform, thread, message('first', thread))

  assert.deepEqual(handled.all, [{ text: 'first', skipped: [] }])
  assert.equal(await state.queueDepth(thread), 1)
})

test('a message in the gap is given to the bot again', needsServer, async (t) => {
  const state = await served(t)
  const platform = fakePlatform()
  const chat = bot(state, platform)
  rescueStranded(chat)
  const handled = watch(chat)
  const thread = newThread()
  arriveInTheGap(state, () => chat.processMessage(platform, thread, message('late', thread)))
  await chat.processMessage(platform, thread, message('first', thread))

  assert.deepEqual(await handled.until(2), [
    { text: 'first', skipped: [] },
    { text: 'late', skipped: [] },
  ])
  assert.equal(await state.queueDepth(thread), 0)
})

test('a message that is queued when the lock is free already is given to the bot', needsServer, async (t) => {
  const state = await served(t)
  const chat = bot(state, fakePlatform())
  rescueStranded(chat)
  const handled = watch(chat)
  const thread = newThread()
  await state.enqueue(thread, queued(message('late', thread)), 10)

  assert.deepEqual(await handled.until(1), [{ text: 'late', skipped: [] }])
})

test('what waited behind a handler that threw is handled, in order', needsServer, async (t) => {
  const state = await served(t)
  const platform = fakePlatform()
  const chat = bot(state, platform)
  rescueStranded(chat)
  const seen = new Notes<string>()
  const thread = newThread()
  chat.onNewMention(async (_thread, handled, context) => {
    for (const { text } of context?.skipped ?? []) seen.add(text)
    seen.add(handled.text)
    if (handled.text !== '1') return
    for (const text of ['2', '3', '4']) {
      await chat.processMessage(platform, thread, message(text, thread))
    }
    throw new Error('the handler fails')
  })
  await assert.rejects(chat.processMessage(platform, thread, message('1', thread)), /handler fails/)

  assert.deepEqual(await seen.until(4), ['1', '2', '3', '4'])
})

test('with burst the messages of a rescue are handled together', needsServer, async (t) => {
  const state = await served(t)
  const chat = bot(state, fakePlatform(), { strategy: 'burst', debounceMs: 200 })
  rescueStranded(chat)
  const handled = watch(chat)
  const thread = newThread()
  const lock = await state.acquireLock(thread, 30_000)
  for (const text of ['1', '2']) await state.enqueue(thread, queued(message(text, thread)), 10)
  await state.releaseLock(lock!)

  assert.deepEqual(await handled.until(1), [{ text: '2', skipped: ['1'] }])
})

test('with a lock for the channel the messages find their threads', needsServer, async (t) => {
  const state = await served(t)
  const chat = bot(state, fakePlatform({ lockScope: 'channel' }))
  rescueStranded(chat)
  const threads = new Notes<string>()
  chat.onNewMention(async (thread) => threads.add(thread.id))
  const channel = `fake:C-${randomUUID()}`
  await state.enqueue(channel, queued(message('1', `${channel}:T7`)), 10)

  assert.deepEqual(await threads.until(1), [`${channel}:T7`])
})

test('a rescued message is in the history once', needsServer, async (t) => {
  const state = await served(t)
  const platform = fakePlatform({ persistThreadHistory: true })
  const chat = bot(state, platform)
  rescueStranded(chat)
  const handled = watch(chat)
  const thread = newThread()
  arriveInTheGap(state, () => chat.processMessage(platform, thread, message('late', thread)))
  await chat.processMessage(platform, thread, message('first', thread))
  await handled.until(2)

  for (const id of [thread, platform.channelIdFromThreadId(thread)]) {
    const history = await state.getList<{ text: string }>(`msg-history:${id}`)
    assert.deepEqual(history.map(({ text }) => text), ['first', 'late'])
  }
})

test('attachments get their way to the content back', needsServer, async (t) => {
  const state = await served(t)
  const fetchData = async () => Buffer.from('content')
  const rehydrateAttachment: Adapter['rehydrateAttachment'] = (kept) => ({ ...kept, fetchData })
  const chat = bot(state, fakePlatform({ rehydrateAttachment: rehydrateAttachment! }))
  rescueStranded(chat)
  const contents = new Notes<string>()
  chat.onNewMention(async (_thread, { attachments }) => {
    contents.add(String(await attachments[0]?.fetchData?.()))
  })
  const thread = newThread()
  const late = message('late', thread)
  late.attachments = [{ type: 'file', url: 'https://files.test/1' }]
  await state.enqueue(thread, queued(late), 10)

  assert.deepEqual(await contents.until(1), ['content'])
})

test('waitUntil hears of what is handled', needsServer, async (t) => {
  const state = await served(t)
  const chat = bot(state, fakePlatform())
  const tasks = new Notes<Promise<unknown>>()
  rescueStranded(chat, { waitUntil: (task) => tasks.add(task) })
  const handled = watch(chat)
  const thread = newThread()
  await state.enqueue(thread, queued(message('late', thread)), 10)
  await Promise.all(await tasks.until(1))

  assert.equal(handled.all.length, 1)
})

test('a message of a platform that the bot does not have stays in the queue', needsServer, async (t) => {
  const lines = new Notes<string>()
  const logger = { warn() {}, error: (...line: unknown[]) => lines.add(JSON.stringify(line)) }
  const state = await served(t, { logger })
  const chat = bot(state, fakePlatform())
  rescueStranded(chat)
  const thread = `elsewhere:C-${randomUUID()}:T1`
  await state.enqueue(thread, queued(message('late', thread)), 10)
  await lines.until(1)

  assert.equal(await state.queueDepth(thread), 1)
})
