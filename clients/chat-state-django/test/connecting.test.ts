import assert from 'node:assert/strict'
import { test } from 'node:test'

import { createDjangoState, NotConnectedError } from '../src/index.js'
import type { DjangoStateAdapter } from '../src/index.js'
import { Bench, settled } from './fakes.js'

// a server that other tests are run on is not meant here
delete process.env['CHAT_STATE_URL']
delete process.env['CHAT_STATE_TOKEN']

const lock = { threadId: 't', token: 'x', expiresAt: 0 }
const entry = { message: {} as never, enqueuedAt: 0, expiresAt: 1 }
const METHODS: Record<string, (state: DjangoStateAdapter) => Promise<unknown>> = {
  subscribe: (state) => state.subscribe('t'),
  unsubscribe: (state) => state.unsubscribe('t'),
  isSubscribed: (state) => state.isSubscribed('t'),
  acquireLock: (state) => state.acquireLock('t', 1),
  releaseLock: (state) => state.releaseLock(lock),
  extendLock: (state) => state.extendLock(lock, 1),
  forceReleaseLock: (state) => state.forceReleaseLock('t'),
  get: (state) => state.get('k'),
  set: (state) => state.set('k', 1),
  setIfNotExists: (state) => state.setIfNotExists('k', 1),
  delete: (state) => state.delete('k'),
  appendToList: (state) => state.appendToList('k', 1),
  getList: (state) => state.getList('k'),
  enqueue: (state) => state.enqueue('t', entry, 1),
  dequeue: (state) => state.dequeue('t'),
  queueDepth: (state) => state.queueDepth('t'),
}

for (const [name, call] of Object.entries(METHODS)) {
  test(`${name} before connect() and after disconnect() rejects with "not connected"`, async () => {
    const bench = new Bench()
    await assert.rejects(call(bench.state), /DjangoStateAdapter is not connected\. Call connect\(\)/)

    const connected = await Bench.connected()
    await connected.state.disconnect()
    await assert.rejects(call(connected.state), /not connected/)
  })
}

test('the first frame is the token, on the path of the socket', async () => {
  const bench = await Bench.connected()

  assert.equal(bench.socket.url, 'ws://chat.test/api/chat/v1/socket')
  assert.deepEqual(JSON.parse(bench.socket.texts[0] ?? ''), { token: 'chat_secret' })
})

test('connect() is idempotent, and calls at one time share an attempt', async () => {
  const bench = new Bench()
  const attempts = [bench.state.connect(), bench.state.connect()]
  await bench.accept()
  await Promise.all(attempts)
  await bench.state.connect()

  assert.equal(bench.sockets.length, 1)
})

test('a failed attempt rejects and can be repeated', async () => {
  const bench = new Bench()
  const first = bench.state.connect()
  await settled()
  bench.socket.cut(1006, 'connect ECONNREFUSED')
  await assert.rejects(first, { code: 'unavailable', message: /ECONNREFUSED/ })
  await assert.rejects(bench.state.get('k'), NotConnectedError)
  assert.equal(bench.clock.planned, 0)

  const second = bench.state.connect()
  await bench.accept()
  await second
  assert.equal(bench.sockets.length, 2)
})

test('a server that does not answer the token fails the attempt after its timeout', async () => {
  const bench = new Bench({ connectTimeoutMs: 500 })
  const attempt = assert.rejects(bench.state.connect(), /no answer .* within 500 ms/)
  await settled()
  bench.socket.open()
  await bench.clock.pass(500)

  await attempt
  assert.equal(bench.socket.isClosed, true)
})

test('what is no chat state server fails the attempt and says so', async () => {
  const bench = new Bench()
  const attempt = assert.rejects(bench.state.connect(), /does not speak the protocol/)
  await settled()
  bench.socket.open()
  bench.socket.handlers.onText('hello')

  await attempt
})

for (const closeCode of [1008, 4008]) {
  test(`a refused token fails the attempt with the reason, closed with ${closeCode}`, async () => {
    const bench = new Bench()
    const refused = { code: 'unauthorized', message: 'unknown' }
    const attempt = assert.rejects(bench.state.connect(), refused)
    await settled()
    bench.socket.open()
    bench.socket.tell({ error: refused })
    bench.socket.cut(closeCode)

    await attempt
  })
}

test('a token revoked later ends pending and later calls; connect() begins anew', async () => {
  const bench = await Bench.connected()
  const pending = assert.rejects(bench.state.get('k'), { code: 'unauthorized' })
  await settled()
  bench.socket.tell({ error: { code: 'unauthorized', message: 'revoked' } })
  bench.socket.cut(1008)

  await pending
  await assert.rejects(bench.state.get('k'), { code: 'unauthorized', message: 'revoked' })
  assert.equal(bench.clock.planned, 0)

  const again = bench.state.connect()
  await bench.accept()
  await again
})

test('disconnect() is idempotent, also before connect(), and connect() works after it', async () => {
  const bench = new Bench()
  await bench.state.disconnect()

  for (const _ of [1, 2]) {
    const connecting = bench.state.connect()
    await bench.accept()
    await connecting
    await bench.state.disconnect()
    await bench.state.disconnect()
    assert.equal(bench.socket.isClosed, true)
  }

  assert.equal(bench.sockets.length, 2)
  assert.equal(bench.clock.planned, 0)
})

test('disconnect() ends an attempt that is under way', async () => {
  const bench = new Bench()
  const attempt = assert.rejects(bench.state.connect(), /not connected/)
  await settled()
  await bench.state.disconnect()

  await attempt
  assert.equal(bench.socket.isClosed, true)
  assert.equal(bench.clock.planned, 0)
})

test('disconnect() waits for answers that are due', async () => {
  const bench = await Bench.connected()
  const stored = bench.state.set('k', 1)
  const disconnected = bench.state.disconnect()
  await settled()
  assert.equal(bench.socket.isClosed, false)

  bench.socket.answer(null)
  await Promise.all([stored, disconnected])
  assert.equal(bench.socket.isClosed, true)
})

test('disconnect() does not wait for ever', async () => {
  const bench = await Bench.connected()
  const stored = assert.rejects(bench.state.set('k', 1), /not connected: disconnect\(\) was called/)
  const disconnected = bench.state.disconnect()
  await bench.clock.pass(2_000)

  await Promise.all([stored, disconnected])
  assert.equal(bench.clock.planned, 0)
})

test('url may be given as http, https, ws or wss, with a path or with the whole path', async () => {
  const urls = {
    'https://a.test': 'wss://a.test/api/chat/v1/socket',
    'ws://a.test:81/': 'ws://a.test:81/api/chat/v1/socket',
    'wss://a.test/below/': 'wss://a.test/below/api/chat/v1/socket',
    'http://a.test/api/chat/v1/socket': 'ws://a.test/api/chat/v1/socket',
  }
  for (const [url, expected] of Object.entries(urls)) {
    const bench = new Bench({ url })
    const attempt = assert.rejects(bench.state.connect())
    await settled()
    assert.equal(bench.socket.url, expected)
    await bench.state.disconnect()
    await attempt
  }
})

test('an address or token that is missing is refused at once, with its name', () => {
  assert.throws(() => createDjangoState({ token: 't' }), /needs url, or CHAT_STATE_URL/)
  assert.throws(() => createDjangoState({ url: 'http://a.test' }), /needs token/)
  assert.throws(() => createDjangoState({ url: 'ftp://a.test', token: 't' }), /must begin with http/)
})

test('address and token may come from the environment', async (t) => {
  t.after(() => {
    delete process.env['CHAT_STATE_URL']
    delete process.env['CHAT_STATE_TOKEN']
  })
  process.env['CHAT_STATE_URL'] = 'http://127.0.0.1:1'
  process.env['CHAT_STATE_TOKEN'] = 'chat_x'

  await assert.rejects(createDjangoState().connect(), /127\.0\.0\.1:1/)
})
