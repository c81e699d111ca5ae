import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Message } from 'chat'

import { Bench, settled } from './fakes.js'

const LOCK = { threadId: 't', token: 'secret', expiresAt: 0 }
const NOW = 1_700_000_000_000

/** The members that a call sends, without id and request id, and what it returns for `value`. */
async function exchange(
  begin: (state: Bench['state']) => Promise<unknown>,
  value: unknown,
): Promise<{ sent: Record<string, unknown>; returned: unknown }> {
  const bench = await Bench.connected()
  const call = begin(bench.state)
  await settled()
  const { id: _, requestId: __, ...sent } = bench.socket.lastOperation
  bench.socket.answer(value)
  return { sent, returned: await call }
}

test('subscriptions', async () => {
  for (const op of ['subscribe', 'unsubscribe'] as const) {
    const { sent, returned } = await exchange((state) => state[op]('t'), null)
    assert.deepEqual(sent, { op, threadId: 't' })
    assert.equal(returned, undefined)
  }
  for (const value of [true, false]) {
    const { sent, returned } = await exchange((state) => state.isSubscribed('t'), value)
    assert.deepEqual(sent, { op: 'isSubscribed', threadId: 't' })
    assert.equal(returned, value)
  }
})

test('an acquired lock has three keys, and ends by the clock of the client', async () => {
  const answer = { token: 'secret', fence: 9, ttlMs: 30_000 }
  const { sent, returned } = await exchange((state) => state.acquireLock('t', 30_000), answer)

  assert.deepEqual(sent, { op: 'acquireLock', threadId: 't', ttlMs: 30_000 })
  assert.deepEqual(returned, { threadId: 't', token: 'secret', expiresAt: NOW + 30_000 })
})

test('who asks for the fence is told', async () => {
  const answer = { token: 'secret', fence: 9, ttlMs: 30_000 }
  const { sent, returned } = await exchange((state) => state.acquireFencedLock('t', 30_000), answer)
  const lock = { threadId: 't', token: 'secret', expiresAt: NOW + 30_000 }

  assert.deepEqual(sent, { op: 'acquireLock', threadId: 't', ttlMs: 30_000 })
  assert.deepEqual(returned, { lock, fence: 9 })
  assert.equal((await exchange((state) => state.acquireFencedLock('t', 1), null)).returned, null)
})

test('a lock that someone holds is null', async () => {
  assert.equal((await exchange((state) => state.acquireLock('t', 1), null)).returned, null)
})

test('a lock without any time is handed over all the same', async () => {
  const answer = { token: 'secret', fence: 9, ttlMs: -1 }
  const { returned } = await exchange((state) => state.acquireLock('t', -1), answer)

  assert.deepEqual(returned, { threadId: 't', token: 'secret', expiresAt: NOW - 1 })
})

test('a lock lasts as long as the server says', async () => {
  const answer = { token: 'secret', fence: 9, ttlMs: 1_501 }
  const { returned } = await exchange((state) => state.acquireLock('t', 1_500.5), answer)

  assert.deepEqual(returned, { threadId: 't', token: 'secret', expiresAt: NOW + 1_501 })
})

test('the ttl of a lock counts from its first sending', async () => {
  const bench = await Bench.connected()
  const call = bench.state.acquireLock('t', 30_000)
  await settled()
  await bench.clock.pass(4_000)
  bench.socket.answer({ token: 'secret', fence: 1, ttlMs: 30_000 })

  assert.equal((await call)?.expiresAt, NOW + 30_000)
})

test('a lock that lapsed before its answer came is acquired anew', async () => {
  const bench = await Bench.connected()
  const call = bench.state.acquireLock('t', 3_000)
  await settled()
  const { requestId } = bench.socket.lastOperation
  await bench.clock.pass(3_000)
  bench.socket.answer({ token: 'old', fence: 1, ttlMs: 3_000 })
  await settled()
  assert.notEqual(bench.socket.lastOperation.requestId, requestId)
  bench.socket.answer({ token: 'new', fence: 2, ttlMs: 3_000 })

  assert.deepEqual(await call, { threadId: 't', token: 'new', expiresAt: NOW + 6_000 })
})

test('locks are extended and released by their token', async () => {
  for (const value of [true, false]) {
    const { sent, returned } = await exchange((state) => state.extendLock(LOCK, 5), value)
    assert.deepEqual(sent, { op: 'extendLock', threadId: 't', token: 'secret', ttlMs: 5 })
    assert.equal(returned, value)
  }
  const answer = { released: false, stranded: false }
  const { sent, returned } = await exchange((state) => state.releaseLock(LOCK), answer)
  assert.deepEqual(sent, { op: 'releaseLock', threadId: 't', token: 'secret' })
  assert.equal(returned, undefined)
  const forced = await exchange((state) => state.forceReleaseLock('t'), null)
  assert.deepEqual(forced.sent, { op: 'forceReleaseLock', threadId: 't' })
})

test('a release does not reject for what the server says', async () => {
  const bench = await Bench.connected()
  const refused = bench.state.releaseLock(LOCK)
  await settled()
  bench.socket.refuse('internal')
  await refused

  assert.equal(bench.warnings.length, 1)
})

test('an extension gives up before the next heartbeat', async () => {
  const bench = await Bench.connected()
  const call = assert.rejects(bench.state.extendLock(LOCK, 30_000), { code: 'timeout' })
  await bench.clock.pass(8_250)

  await call
})

test('cache', async () => {
  const get = await exchange((state) => state.get('k'), { a: 1 })
  assert.deepEqual(get, { sent: { op: 'get', key: 'k' }, returned: { a: 1 } })
  const set = await exchange((state) => state.set('k', 'v', 1.5), null)
  assert.deepEqual(set, {
    ...{ sent: { op: 'set', key: 'k', value: 'v', ttlMs: 1.5 }, returned: undefined },
  })
  const claim = await exchange((state) => state.setIfNotExists('k', true, -5), false)
  assert.deepEqual(claim, {
    ...{ sent: { op: 'setIfNotExists', key: 'k', value: true, ttlMs: -5 }, returned: false },
  })
  const remove = await exchange((state) => state.delete('k'), null)
  assert.deepEqual(remove, { sent: { op: 'delete', key: 'k' }, returned: undefined })
})

test('a ttl of undefined, 0, NaN or Infinity means for ever and is left out', async () => {
  for (const ttlMs of [undefined, 0, Number.NaN, Number.POSITIVE_INFINITY]) {
    const { sent } = await exchange((state) => state.set('k', 1, ttlMs as number), null)
    assert.deepEqual(sent, { op: 'set', key: 'k', value: 1 })
  }
})

test('a ttl or bound that is no number is left to the server, not taken for none', async () => {
  for (const wrong of ['10', true, [], {}] as unknown as number[]) {
    const set = await exchange((state) => state.set('k', 1, wrong), null)
    assert.deepEqual(set.sent, { op: 'set', key: 'k', value: 1, ttlMs: wrong })
    const options = { maxLength: wrong, ttlMs: wrong }
    const append = await exchange((state) => state.appendToList('k', 1, options), null)
    assert.deepEqual(append.sent, { op: 'appendToList', key: 'k', value: 1, ...options })
  }
})

test('lists', async () => {
  const options = { maxLength: 3, ttlMs: 9 }
  const append = await exchange((state) => state.appendToList('k', [1], options), null)
  assert.deepEqual(append.sent, { op: 'appendToList', key: 'k', value: [1], ...options })
  const plain = await exchange((state) => state.appendToList('k', undefined), null)
  assert.deepEqual(plain.sent, { op: 'appendToList', key: 'k', value: null })
})

test('a list is put together from its pieces', async () => {
  const bench = await Bench.connected()
  const call = bench.state.getList('k')
  await settled()
  const { id } = bench.socket.lastOperation
  bench.socket.tell([{ id, items: [1, 2], more: true }])
  bench.socket.tell([{ id, items: [3], more: true }])
  bench.socket.tell([{ id, items: [], more: false }])

  assert.deepEqual(await call, [1, 2, 3])
})

test('a list that was cut off is read from its beginning', async () => {
  const bench = await Bench.connected()
  const call = bench.state.getList('k')
  await settled()
  const { id } = bench.socket.lastOperation
  bench.socket.tell([{ id, items: [1, 2], more: true }])
  bench.socket.cut()
  const second = await bench.acceptNext()
  second.tell([{ id, items: [1, 2, 3], more: false }])

  assert.deepEqual(await call, [1, 2, 3])
})

test('an entry is enqueued with its instants and that of sending', async () => {
  const message = { toJSON: () => ({ _type: 'chat:Message', id: 'm' }) } as unknown as Message
  const entry = { message, enqueuedAt: 5, expiresAt: 90_005 }
  const answer = { depth: 2, stranded: false }
  const { sent, returned } = await exchange((state) => state.enqueue('t', entry, 10), answer)

  assert.deepEqual(sent, {
    ...{ op: 'enqueue', threadId: 't', message: { _type: 'chat:Message', id: 'm' } },
    ...{ enqueuedAt: 5, expiresAt: 90_005, sentAt: NOW, maxSize: 10 },
  })
  assert.equal(returned, 2)
})

test('a queue without a bound has no maxSize', async () => {
  const entry = { message: {} as Message, enqueuedAt: 0, expiresAt: 1 }
  const answer = { depth: 1, stranded: false }
  const { sent } = await exchange((state) => state.enqueue('t', entry, 0), answer)

  assert.equal('maxSize' in sent, false)
})

test('a dequeued entry is as it was put in', async () => {
  const answer = { message: { id: 'm' }, enqueuedAt: 5, expiresAt: NOW + 10, ttlMs: 10 }
  const { sent, returned } = await exchange((state) => state.dequeue('t'), answer)

  assert.deepEqual(sent, { op: 'dequeue', threadId: 't' })
  assert.deepEqual(returned, { message: { id: 'm' }, enqueuedAt: 5, expiresAt: NOW + 10 })
  assert.equal((await exchange((state) => state.dequeue('t'), null)).returned, null)
})

test('an entry that lives is never handed over as expired', async () => {
  const answer = { message: {}, enqueuedAt: 5, expiresAt: NOW - 1, ttlMs: 700 }
  const { returned } = await exchange((state) => state.dequeue('t'), answer)

  assert.deepEqual(returned, { message: {}, enqueuedAt: 5, expiresAt: NOW + 700 })
})

test('queueDepth', async () => {
  const { sent, returned } = await exchange((state) => state.queueDepth('t'), 4)

  assert.deepEqual(sent, { op: 'queueDepth', threadId: 't' })
  assert.equal(returned, 4)
})

test('shardKey and keyShard name the shard, where they know one', async () => {
  const bench = await Bench.connected({
    shardKey: (threadId) => (threadId === 'here' ? undefined : `by-${threadId}`),
    keyShard: (key) => key.split(':')[0],
  })
  void bench.state.subscribe('t')
  void bench.state.subscribe('here')
  void bench.state.releaseLock(LOCK)
  void bench.state.get('k:1')
  void bench.state.getList('l:1')
  await settled()

  assert.deepEqual(
    bench.socket.operations.map(({ shard }) => shard),
    ['by-t', undefined, 'by-t', 'k', 'l'],
  )
})
