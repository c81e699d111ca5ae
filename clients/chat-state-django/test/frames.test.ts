import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Bench, settled } from './fakes.js'

test('calls of one tick share a frame, in order', async () => {
  const bench = await Bench.connected()
  void bench.state.get('a')
  void bench.state.set('b', 1)
  void bench.state.subscribe('c')
  await settled()
  void bench.state.get('d')
  await settled()

  assert.deepEqual(
    bench.socket.frames.map((frame) => frame.map(({ op }) => op)),
    [['get', 'set', 'subscribe'], ['get']],
  )
})

test('answers find their calls by id, in any order and grouping', async () => {
  const bench = await Bench.connected()
  const values = Promise.all([bench.state.get('a'), bench.state.get('b'), bench.state.get('c')])
  await settled()
  const [a, b, c] = bench.socket.operations.map(({ id }) => id)
  bench.socket.tell([{ id: c, value: 'C' }])
  bench.socket.tell([{ id: b }, { id: a, value: 'A' }])

  assert.deepEqual(await values, ['A', null, 'C'])
})

test('an answer with an error rejects its call and no other', async () => {
  const bench = await Bench.connected()
  const bad = assert.rejects(bench.state.get('a'), {
    ...{ name: 'ChatStateError', code: 'invalid', field: 'key', message: 'too long' },
  })
  const good = bench.state.get('b')
  await settled()
  const [a, b] = bench.socket.operations.map(({ id }) => id)
  bench.socket.tell([
    { id: a, error: { code: 'invalid', message: 'too long', field: 'key' } },
    { id: b, value: 1 },
  ])

  await bad
  assert.equal(await good, 1)
})

test('a frame ends before 1,000 operations', async () => {
  const bench = await Bench.connected()
  for (let n = 0; n < 2_001; n++) void bench.state.get('k')
  await settled()

  assert.deepEqual(bench.socket.frames.map((frame) => frame.length), [1_000, 1_000, 1])
})

test('no more than 5,000 operations are in flight; the others keep their order', async () => {
  const bench = await Bench.connected()
  for (let n = 0; n < 7_000; n++) void bench.state.get(String(n))
  await settled()
  const { socket } = bench
  assert.equal(socket.operations.length, 5_000)
  socket.tell(socket.operations.slice(0, 1_500).map(({ id }) => ({ id, value: null })))
  await settled()
  assert.equal(socket.operations.length, 6_500)
  socket.cut()
  const second = await bench.acceptNext()

  assert.deepEqual(
    second.operations.map(({ key }) => Number(key)),
    Array.from({ length: 5_000 }, (_, index) => 1_500 + index),
  )
})

test('a frame ends before 1,000,000 bytes, whatever the characters', async () => {
  const bench = await Bench.connected()
  for (let n = 0; n < 5; n++) void bench.state.set('k', '€'.repeat(100_000))
  for (let n = 0; n < 999; n++) void bench.state.set('k', '€'.repeat(1_000))
  await settled()

  const sizes = bench.socket.texts.map((text) => Buffer.byteLength(text))
  assert.ok(Math.max(...sizes) < 1_000_000, `${sizes}`)
  assert.equal(bench.socket.operations.length, 1_004)
})

test('an operation that no frame can hold is refused here, and harms no other', async () => {
  const bench = await Bench.connected()
  const x = 'x'.repeat(1_048_576)
  const refusals = { value: bench.state.set('k', x), threadId: bench.state.subscribe(x) }
  const big = Object.entries(refusals).map(([field, refusal]) =>
    assert.rejects(refusal, { code: 'too_large', field }),
  )
  const small = bench.state.set('k', 'x')
  await settled()
  bench.socket.answer(null)

  await Promise.all([...big, small])
  assert.equal(bench.socket.operations.length, 1)
})

test('values are spliced in as JSON text; undefined is null', async () => {
  const bench = await Bench.connected()
  void bench.state.set('k', { z: [undefined, 1], a: '\u0000\ud83d', gone: undefined })
  void bench.state.set('k', undefined)
  await settled()

  assert.match(bench.socket.texts[1] ?? '', /"value":\{"z":\[null,1\],"a":"\\u0000\\ud83d"\}/)
  assert.equal(bench.socket.lastOperation['value'], null)
})

test('a value that has no JSON rejects its call', async () => {
  const bench = await Bench.connected()

  await assert.rejects(bench.state.set('k', 1n), TypeError)
  await settled()
  assert.deepEqual(bench.socket.frames, [])
})

test('no more than 64 MiB wait for an answer', async () => {
  const bench = await Bench.connected()
  const megabyte = 'x'.repeat(1_000_000)
  const settledCalls: string[] = []
  for (let n = 0; n < 68; n++) {
    bench.state.set('k', megabyte).catch((error: { code: string }) => settledCalls.push(error.code))
  }
  await settled()

  assert.deepEqual(settledCalls, ['busy'])
})
