import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'

import type { Message } from 'chat'

import { createDjangoState } from '../../src/index.js'
import { Cable, needsServer, served, unique } from './server.js'

const run = promisify(execFile)
const INDEX = new URL('../../src/index.js', import.meta.url).href

test('every method, on a served site', needsServer, async (t) => {
  const state = await served(t)
  const id = unique('thread')

  await state.subscribe(id)
  assert.equal(await state.isSubscribed(id), true)
  await state.unsubscribe(id)
  assert.equal(await state.isSubscribed(id), false)

  const lock = await state.acquireLock(id, 30_000)
  assert.deepEqual(Object.keys(lock ?? {}).sort(), ['expiresAt', 'threadId', 'token'])
  assert.equal(await state.acquireLock(id, 30_000), null)
  assert.equal(await state.extendLock(lock!, 30_000), true)
  await state.releaseLock(lock!)
  assert.equal(await state.extendLock(lock!, 30_000), false)
  assert.notEqual(await state.acquireLock(id, 30_000), null)
  await state.forceReleaseLock(id)
  assert.notEqual(await state.acquireLock(id, 30_000), null)

  const value = { z: ['\u0000', '\ud83d', 1e-7, null], a: { b: true } }
  await state.set(id, value)
  assert.deepEqual(await state.get(id), value)
  assert.equal(await state.setIfNotExists(id, 1), false)
  await state.delete(id)
  assert.equal(await state.get(id), null)
  assert.equal(await state.setIfNotExists(id, 1, 60_000), true)

  for (const item of [1, 2, 3]) await state.appendToList(id, item, { maxLength: 2, ttlMs: 60_000 })
  assert.deepEqual(await state.getList(id), [2, 3])

  const expiresAt = Date.now() + 60_000
  const entry = { message: { id: 'm' } as Message, enqueuedAt: 5, expiresAt }
  assert.equal(await state.enqueue(id, entry, 10), 1)
  assert.equal(await state.queueDepth(id), 1)
  assert.deepEqual(await state.dequeue(id), entry)
  assert.equal(await state.dequeue(id), null)
})

test('a list of several megabytes comes in pieces, and whole', needsServer, async (t) => {
  const state = await served(t)
  const key = unique('list')
  const items = Array.from({ length: 12 }, (_, n) => `${n}`.padEnd(500_000, 'x'))
  for (const item of items) await state.appendToList(key, item)

  assert.deepEqual(await state.getList(key), items)
})

test('a call that the server refuses tells the field', needsServer, async (t) => {
  const state = await served(t)

  await assert.rejects(state.get('k'.repeat(1_025)), { code: 'invalid', field: 'key' })
  await assert.rejects(state.set(unique('k'), 'x'.repeat(900_001)), { code: 'too_large' })
})

test('an unknown token is refused by connect(), and the server has a way to say so', needsServer, async () => {
  const state = createDjangoState({ token: 'chat_unknown', logger: { warn() {}, error() {} } })

  await assert.rejects(state.connect(), { code: 'unauthorized' })
  await assert.rejects(state.get('k'), /not connected/)
})

test('cuts lose nothing and do nothing twice', needsServer, async (t) => {
  const cable = await Cable.lay(t)
  const cuts: string[] = []
  const logger = { warn: (line: string) => void cuts.push(line), error() {} }
  const state = await served(t, { url: cable.url, logger })
  const [list, queue] = [unique('list'), unique('queue')]
  const numbers = Array.from({ length: 300 }, (_, n) => n)
  const appended = numbers.map(async (n) => {
    // spread over many frames, so that the cuts meet some of them under way
    for (let turn = 0; turn < n; turn++) await null
    if (n % 60 === 30) setImmediate(() => cable.cut())
    await state.appendToList(list, n)
    const expiresAt = Date.now() + 60_000
    const entry = { message: { id: `${n}` } as Message, enqueuedAt: n, expiresAt }
    await state.enqueue(queue, entry, 0)
  })
  await Promise.all(appended)

  const listed = await state.getList<number>(list)
  assert.deepEqual(listed.sort((a, b) => a - b), numbers)
  assert.equal(await state.queueDepth(queue), numbers.length)
  const dequeued = numbers.map(async (n) => {
    if (n % 60 === 30) cable.cut()
    return (await state.dequeue(queue))?.enqueuedAt
  })
  assert.deepEqual((await Promise.all(dequeued)).sort((a, b) => (a ?? 0) - (b ?? 0)), numbers)
  assert.ok(cuts.length >= 2, `${cuts.length} cuts were noticed`)
})

for (const flags of [[], ['--experimental-websocket', '--no-warnings']]) {
  const platform = flags.length > 0 ? "the platform's WebSocket" : 'npm ws or what there is'
  test(`a bot on ${platform} ends by itself after disconnect()`, needsServer, async () => {
    const script = `
      import { createDjangoState } from ${JSON.stringify(INDEX)}
      const state = createDjangoState()
      await state.connect()
      await state.set('ended', [1])
      console.log(JSON.stringify(await state.get('ended')))
      await state.disconnect()
    `
    const { stdout } = await run('node', [...flags, '--input-type=module', '--eval', script])

    assert.equal(stdout.trim(), '[1]')
  })
}
