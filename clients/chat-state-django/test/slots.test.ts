import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Slots } from '../src/slots.js'

test('items are found by their numbers, however many come and whichever go', () => {
  const slots = new Slots<{ id: number }>()
  const kept = new Set<number>()
  for (let turn = 0; turn < 10_000; turn++) {
    const id = slots.nextId()
    slots.put({ id })
    kept.add(id)
    // every hundredth stays long, the others go one or two turns later
    if (turn % 3 === 0) continue
    for (const old of [...kept].filter((number) => number % 100 !== 0)) {
      slots.delete(old)
      kept.delete(old)
    }
  }

  assert.deepEqual(slots.all().map(({ id }) => id), [...kept])
  assert.equal(slots.size, kept.size)
  for (const id of kept) assert.equal(slots.get(id)?.id, id)
})

test('a number is never given twice, and one that is gone finds nothing', () => {
  const slots = new Slots<{ id: number }>()
  const given = new Set<number>()
  for (let turn = 0; turn < 1_000; turn++) {
    const id = slots.nextId()
    slots.put({ id })
    given.add(id)
    slots.delete(id)
    slots.delete(id)
    assert.equal(slots.get(id), undefined)
  }

  assert.equal(given.size, 1_000)
  assert.equal(slots.size, 0)
})
