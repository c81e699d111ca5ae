import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'

import { createDjangoNamespace, type DjangoNamespace } from '../../src/durable-object.js'
import { needsServer, served, unique } from './server.js'

const run = promisify(execFile)
const REGISTER = new URL('../../src/cloudflare-workers/register.js', import.meta.url).href

async function cloudflare(): Promise<typeof import('chat-state-cloudflare-do')> {
  await import('../../src/cloudflare-workers/register.js')
  return import('chat-state-cloudflare-do')
}

function namespaceFor(t: TestContext): DjangoNamespace {
  const namespace = createDjangoNamespace()
  t.after(() => namespace.disconnect())
  return namespace
}

test('node --import lets Node import the published package', async () => {
  const script = "console.log(Object.keys(await import('chat-state-cloudflare-do')).join())"
  const { stdout } = await run('node', [
    ...['--import', REGISTER, '--input-type=module', '--eval', script],
  ])

  assert.match(stdout, /createCloudflareState/)
})

test('every method of the unmodified package', needsServer, async (t) => {
  const { createCloudflareState } = await cloudflare()
  const state = createCloudflareState({ namespace: namespaceFor(t), locationHint: 'weur' })
  const id = unique('thread')
  await assert.rejects(state.get(id), /not connected/)
  await state.connect()

  await state.subscribe(id)
  assert.equal(await state.isSubscribed(id), true)
  await state.unsubscribe(id)
  assert.equal(await state.isSubscribed(id), false)

  const before = Date.now()
  const lock = await state.acquireLock(id, 30_000)
  assert.deepEqual(Object.keys(lock ?? {}).sort(), ['expiresAt', 'threadId', 'token'])
  assert.equal(lock?.threadId, id)
  assert.ok(lock.expiresAt >= before + 30_000)
  assert.equal(await state.acquireLock(id, 30_000), null)
  assert.equal(await state.extendLock(lock, 30_000), true)
  assert.equal(await state.extendLock({ ...lock, token: 'another' }, 30_000), false)
  await state.releaseLock(lock)
  assert.notEqual(await state.acquireLock(id, 30_000), null)

  const value = { z: ['\u0000', null], a: 1 }
  await state.set(id, value, 60_000)
  assert.deepEqual(await state.get(id), value)
  await state.set(id, undefined)
  assert.equal(await state.get(id), null)
  await state.delete(id)
  assert.equal(await state.get(id), null)
  await state.set(id, 1, -1)
  assert.equal(await state.get(id), null)
})

test('the default object is what a native adapter sees', needsServer, async (t) => {
  const native = await served(t)
  const { createCloudflareState } = await cloudflare()
  const state = createCloudflareState({ namespace: namespaceFor(t) })
  await state.connect()
  const id = unique('thread')
  await state.set(id, { a: 1 })
  await state.subscribe(id)

  assert.deepEqual(await native.get(id), { a: 1 })
  assert.equal(await native.isSubscribed(id), true)
})

test('objects of different names share nothing', needsServer, async (t) => {
  const { createCloudflareState } = await cloudflare()
  const namespace = namespaceFor(t)
  const id = unique('thread')
  const states = ['default', 'one', 'slack:C1'].map((name) =>
    createCloudflareState({ namespace, name }),
  )
  for (const [number, state] of states.entries()) {
    await state.connect()
    assert.equal(await state.isSubscribed(id), false)
    assert.equal(await state.get(id), null)
    await state.subscribe(id)
    await state.set(id, number)
    assert.notEqual(await state.acquireLock(id, 30_000), null)
  }

  assert.deepEqual(await Promise.all(states.map((state) => state.get(id))), [0, 1, 2])
})

test('with shardKey threads are kept by their objects, the cache by the default one', needsServer, async (t) => {
  const native = await served(t)
  const { createCloudflareState } = await cloudflare()
  const namespace = namespaceFor(t)
  const shardKey = (threadId: string) => threadId.split(':')[0] ?? ''
  const state = createCloudflareState({ namespace, shardKey })
  await state.connect()
  const id = unique('slack')
  await state.subscribe(id)
  await state.set(id, 1)

  assert.equal(await native.isSubscribed(id), false)
  assert.equal(await native.isSubscribed(`do:slack:${id}`), true)
  assert.equal(await native.get(id), 1)
  assert.equal(await namespace.getByName('slack').isSubscribed(id), true)
})

test('a shard that the server does not have is told', needsServer, async (t) => {
  const namespace = createDjangoNamespace({ shard: (name) => `nowhere-${name}` })
  t.after(() => namespace.disconnect())

  await assert.rejects(namespace.getByName('one').cacheGet('k'), { code: 'unknown_shard' })
})

test('a namespace can be used again after disconnect()', needsServer, async (t) => {
  const namespace = namespaceFor(t)
  const stub = namespace.get(namespace.idFromName('default'))
  const key = unique('k')
  await stub.cacheSet(key, '[1,2]')
  await namespace.disconnect()

  assert.equal(await stub.cacheGet(key), '[1,2]')
})

test('text that is no JSON is refused here, and harms no other call', needsServer, async (t) => {
  const stub = namespaceFor(t).getByName('default')

  await assert.rejects(stub.cacheSet(unique('k'), '{"a":'), SyntaxError)
})
