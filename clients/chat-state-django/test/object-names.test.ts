import assert from 'node:assert/strict'
import { test } from 'node:test'

import { objectNameOf, storedId } from '../src/object-names.js'

test('the default object stores ids as they are', () => {
  assert.equal(storedId('default', 'slack:C1:1.2'), 'slack:C1:1.2')
})

test('a named object stores them behind its name', () => {
  assert.equal(storedId('slack:C1', 'slack:C1:1.2'), 'do:slack%3AC1:slack:C1:1.2')
})

test('no two ids of any objects are stored as one, and each tells its object', () => {
  const texts = ['', 'a', 'a:', ':a', 'a:b', 'a%3Ab', '%3A', '%', 'do:', 'do:a:b', 'default', 'ü']
  const pairs = texts.flatMap((name) => texts.map((id) => [name, id] as const))
  const stored = pairs.map(([name, id]) => storedId(name, id))

  assert.equal(new Set(stored).size, pairs.length)
  assert.deepEqual(stored.map(objectNameOf), pairs.map(([name]) => name))
})
