// The state adapters under load, each opened as its documentation says and with its own defaults.
import { randomUUID } from 'node:crypto'

import { Pool } from 'undici'

const OPENERS = {
  redis: async ({ url }) => {
    const { createRedisState } = await import('@chat-adapter/state-redis')
    return createRedisState({ url })
  },
  postgres: async ({ url }) => {
    const { createPostgresState } = await import('@chat-adapter/state-pg')
    return createPostgresState({ url })
  },
  durableObject: async ({ url }) => remoteDurableObject(url),
  django: async ({ module, url, token }) => {
    const { createDjangoState } = await import(module)
    return createDjangoState({ url, token })
  },
}

// version 0.1.1 lacks the others
const DURABLE_OBJECT_METHODS = [
  ...['subscribe', 'unsubscribe', 'isSubscribed', 'acquireLock', 'extendLock', 'releaseLock'],
  ...['get', 'set', 'delete'],
]

/** Connect the adapter that `target` names. */
export async function openAdapter(target) {
  const state = await OPENERS[target.adapter](target)
  await state.connect()
  return state
}

/** A part of thread ids and keys that no other run uses. */
export function runName() {
  return randomUUID().slice(0, 8)
}

// The Durable Object adapter runs inside a worker only. One POST a call, on as many kept-alive
// connections as there are calls under way, by the fastest HTTP client that Node has.
function remoteDurableObject(url) {
  // workerd drops a connection 5 s after its last answer, even with a request that it has not read
  const pool = new Pool(url, { connections: 64, pipelining: 1, keepAliveTimeout: 1_000 })
  const call = async (method, values) => {
    const { statusCode, body } = await pool.request({
      path: '/',
      method: 'POST',
      body: JSON.stringify({ method, arguments: values }),
    })
    const text = await body.text()
    if (statusCode !== 200) throw new Error(`${method}: ${statusCode} ${text}`)
    return JSON.parse(text).value
  }
  const methods = DURABLE_OBJECT_METHODS.map((name) => [name, (...values) => call(name, values)])
  return { ...Object.fromEntries(methods), connect: async () => {}, disconnect: () => pool.close() }
}
