import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Bench, settled } from './fakes.js'

test('what was in flight at a cut is sent again with its request id, in order', async () => {
  const bench = await Bench.connected()
  const first = bench.socket
  const calls = [
    bench.state.setIfNotExists('k', 1),
    bench.state.acquireLock('t', 1_000),
    bench.state.appendToList('l', 1),
    bench.state.dequeue('t'),
    bench.state.get('k'),
  ]
  await settled()
  first.cut()
  const second = await bench.acceptNext()

  assert.deepEqual(second.frames, first.frames)
  const requestIds = second.operations.map(({ requestId }) => requestId)
  assert.equal(new Set(requestIds.slice(0, 4)).size, 4)
  assert.equal(requestIds[4], undefined)
  for (const { id } of second.operations) second.tell([{ id, value: null }])
  await Promise.all(calls)
})

test('request ids of two clients differ', async () => {
  const benches = [await Bench.connected(), await Bench.connected()]
  for (const bench of benches) void bench.state.dequeue('t')
  await settled()

  const [one, other] = benches.map((bench) => bench.socket.lastOperation.requestId)
  assert.notEqual(one, other)
  assert.match(one ?? '', /^[0-9a-f]{32}-\d+$/)
})

test('what was answered before the cut is not sent again', async () => {
  const bench = await Bench.connected()
  const stored = bench.state.set('k', 1)
  await settled()
  bench.socket.answer(null)
  await stored
  bench.socket.cut()
  const second = await bench.acceptNext()

  assert.deepEqual(second.frames, [])
})

test('calls made while there is no connection wait for the next', async () => {
  const bench = await Bench.connected()
  bench.socket.cut(1012)
  const value = bench.state.get('k')
  await bench.state.connect()
  const second = await bench.acceptNext()
  second.answer('there')

  assert.equal(await value, 'there')
})

test('attempts go on, at growing intervals, until one succeeds', async () => {
  const bench = await Bench.connected()
  bench.socket.cut()
  const pauses: number[] = []
  for (let attempt = 0; attempt < 7; attempt++) {
    const { length } = bench.sockets
    const begun = bench.clock.monotonic()
    while (bench.sockets.length === length) await bench.clock.pass(50)
    pauses.push(bench.clock.monotonic() - begun)
    await settled()
    bench.socket.cut(1006, 'ECONNREFUSED')
  }

  assert.deepEqual(pauses, [100, 200, 400, 800, 1_600, 3_000, 3_000])
  await bench.acceptNext()
  bench.socket.cut()
  await bench.clock.pass(100)
  assert.equal(bench.sockets.length, 10)
})

test('a call that cannot be sent for 30 s fails and says why', async () => {
  const bench = await Bench.connected()
  bench.socket.cut()
  const call = assert.rejects(bench.state.get('k'), {
    ...{ code: 'timeout', message: /get could not be sent in time: .*ECONNREFUSED/ },
  })
  for (let second = 0; second < 31; second++) {
    await bench.clock.pass(1_000)
    if (!bench.socket.isClosed) bench.socket.cut(1006, 'ECONNREFUSED')
  }

  await call
})

test('a call is repeated for 45 s after it was first sent, then fails', async () => {
  const bench = await Bench.connected()
  let outcome = 'pending'
  bench.state.dequeue('t').catch((error: { code: string }) => {
    outcome = error.code
  })
  await settled()
  const { requestId } = bench.socket.lastOperation
  for (let cuts = 0; cuts < 4; cuts++) {
    await bench.clock.pass(7_000)
    bench.socket.cut()
    const socket = await bench.acceptNext()
    assert.equal(socket.lastOperation.requestId, requestId)
  }
  assert.equal(outcome, 'pending')
  await bench.clock.pass(4_500)
  assert.equal(outcome, 'pending')
  await bench.clock.pass(1_000)

  assert.equal(outcome, 'timeout')
})

test('a release is waited for 3 s, and sent also when the server comes back later', async () => {
  const stranded: string[] = []
  const bench = await Bench.connected({ onStranded: (threadId) => void stranded.push(threadId) })
  bench.socket.cut()
  const release = bench.state.releaseLock({ threadId: 't', token: 'x', expiresAt: 0 })
  await bench.clock.pass(3_000)
  await release

  const socket = await bench.accept()
  assert.equal(socket.lastOperation.op, 'releaseLock')
  socket.answer({ released: true, stranded: true })
  await settled()
  assert.deepEqual(stranded, ['t'])
})

test('an answer that comes after its call was given up is dropped', async () => {
  const bench = await Bench.connected()
  const lock = { threadId: 't', token: 'x', expiresAt: 0 }
  const extension = assert.rejects(bench.state.extendLock(lock, 30_000), { code: 'timeout' })
  await bench.clock.pass(8_250)
  await extension
  bench.socket.answer(true)
  const value = bench.state.get('k')
  await settled()
  bench.socket.answer(7)

  assert.equal(await value, 7)
})

for (const code of ['busy', 'frozen', 'unavailable']) {
  test(`${code} is tried again with the same request id, after 50 ms, 100 ms, up to 2 s`, async () => {
    const bench = await Bench.connected()
    const call = bench.state.setIfNotExists('k', 1)
    await settled()
    const { socket } = bench
    const { requestId } = socket.lastOperation
    const pauses: number[] = []
    for (let attempt = 0; attempt < 8; attempt++) {
      const { length } = socket.operations
      socket.refuse(code)
      const begun = bench.clock.monotonic()
      while (socket.operations.length === length) await bench.clock.pass(50)
      pauses.push(bench.clock.monotonic() - begun)
      assert.equal(socket.lastOperation.requestId, requestId)
    }
    socket.answer(true)

    assert.deepEqual(pauses, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000])
    assert.equal(await call, true)
  })
}

test('a server that stays busy fails the call with its own error', async () => {
  const bench = await Bench.connected()
  let code = ''
  bench.state.get('k').catch((error: { code: string }) => {
    code = error.code
  })
  await settled()
  for (let attempt = 0; attempt < 60 && code === ''; attempt++) {
    bench.socket.refuse('busy')
    await bench.clock.pass(2_000)
  }

  assert.equal(code, 'busy')
  assert.ok(bench.clock.monotonic() <= 46_000)
})

test('a call that rests when the connection is lost is sent once, on the next', async () => {
  const bench = await Bench.connected()
  const value = bench.state.get('k')
  await settled()
  bench.socket.refuse('busy')
  bench.socket.cut()
  const second = await bench.acceptNext()

  assert.equal(second.operations.length, 1)
  second.answer(1)
  assert.equal(await value, 1)
})

test('an idle connection is asked for a sign of life every 20 s', async () => {
  const bench = await Bench.connected()
  for (let round = 1; round <= 3; round++) {
    await bench.clock.pass(19_999)
    assert.equal(bench.socket.frames.length, round - 1)
    await bench.clock.pass(1)
    assert.deepEqual(bench.socket.frames.slice(round - 1), [[]])
    bench.socket.tell([])
    // the next question counts from the answer
    await bench.clock.pass(0)
  }
  assert.equal(bench.sockets.length, 1)
})

test('a connection that gives no sign of life for 10 s is replaced', async () => {
  const bench = await Bench.connected()
  const first = bench.socket
  await bench.clock.pass(30_000)

  assert.equal(first.isClosed, true)
  await bench.acceptNext()
  assert.equal(bench.sockets.length, 2)
})

test('while answers are due a silent connection is asked after 5 s', async () => {
  const bench = await Bench.connected()
  await bench.clock.pass(1_000)
  const call = bench.state.get('k')
  await bench.clock.pass(9_000)
  assert.deepEqual(bench.socket.frames.at(-1), [])
  await bench.clock.pass(5_000)
  const second = await bench.acceptNext()
  second.answer('late')

  assert.equal(await call, 'late')
})

test('an error about a whole frame is logged and ends nothing', async () => {
  const bench = await Bench.connected()
  const value = bench.state.get('k')
  await settled()
  bench.socket.tell({ error: { code: 'malformed', message: 'no array' } })
  bench.socket.answer(1)

  assert.equal(await value, 1)
  assert.match(String(bench.warnings[0]), /malformed: no array/)
})
