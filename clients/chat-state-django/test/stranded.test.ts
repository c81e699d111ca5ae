import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Chat, type Message, type StateAdapter } from 'chat'

import { rescueStranded } from '../src/index.js'
import { fakePlatform } from './bot.js'
import { Bench, settled } from './fakes.js'

const LOCK = { threadId: 't', token: 'secret', expiresAt: 0 }
const ENTRY = { message: {} as Message, enqueuedAt: 0, expiresAt: 1 }

test('onStranded hears of what releaseLock and enqueue leave behind', async () => {
  const heard: string[] = []
  const bench = await Bench.connected({ onStranded: (threadId) => void heard.push(threadId) })
  for (const stranded of [false, true]) {
    const released = bench.state.releaseLock(LOCK)
    await settled()
    bench.socket.answer({ released: true, stranded })
    await released
    const depth = bench.state.enqueue('u', ENTRY, 1)
    await settled()
    bench.socket.answer({ depth: 1, stranded })
    await depth
  }

  assert.deepEqual(heard, ['t', 'u'])
})

test('what onStranded throws is logged, and the call does not fail', async () => {
  const bench = await Bench.connected({
    onStranded: async () => {
      throw new Error('no rescue')
    },
  })
  const released = bench.state.releaseLock(LOCK)
  await settled()
  bench.socket.answer({ released: true, stranded: true })
  await released
  await settled()

  assert.match(String(bench.warnings[0]?.[0]), /onStranded failed/)
})

test('a handler can be taken away', async () => {
  const heard: string[] = []
  const bench = await Bench.connected()
  bench.state.onStranded((threadId) => void heard.push(threadId))()
  const released = bench.state.releaseLock(LOCK)
  await settled()
  bench.socket.answer({ released: true, stranded: true })
  await released

  assert.deepEqual(heard, [])
})

test('rescueStranded refuses the state of another package', () => {
  const adapters = { fake: fakePlatform() }
  const state = {} as StateAdapter
  const chat = new Chat({ userName: 'bot', adapters, state, logger: 'silent' })

  assert.throws(() => rescueStranded(chat), /whose state is a DjangoStateAdapter/)
})
