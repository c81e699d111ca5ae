// State adapters of Chat SDK as they are published, one object for each `make`.
//
//   make        {name, package, options}      makes an adapter; does not connect it
//   call        {name, method, args}          calls one of its methods
//   lockThroughExtend, setSpoilGet            what only the holder of an object can see
//   forget      {name}                        disconnects an adapter and drops it
import { Effect } from 'effect'

import { decode, encode } from './chat_values.mjs'
import { serve } from './lines.mjs'

const makers = {
  '@chat-adapter/state-memory': ({ createMemoryState }) => createMemoryState(),
  '@chat-adapter/state-redis': ({ createRedisState }, options) => createRedisState(options),
  'chat-state-django': ({ createDjangoState }, options) => createDjangoState(options),
}

const adapters = new Map()

const make = async ({ name, package: specifier, options }) => {
  adapters.set(name, makers[specifier](await import(specifier), options))
}

/** Calls a method; an error that is thrown, where a rejected promise is due, says so. */
const call = ({ name, method, args }) => {
  let promise
  try {
    promise = adapters.get(name)[method](...decode(args))
  } catch (error) {
    throw new Error(`${method} threw instead of rejecting: ${error}`)
  }
  return promise
}

/** A lock as it was handed out, and the same object after it was extended. */
const lockThroughExtend = async ({ name, threadId, ttlMs, extendTtlMs }) => {
  const adapter = adapters.get(name)
  const lock = await adapter.acquireLock(threadId, ttlMs)
  const before = { ...lock }
  await adapter.extendLock(lock, extendTtlMs)
  return [before, lock]
}

/** What is stored, after its caller went on to change what it had set and what it had got. */
const setSpoilGet = async ({ name, key }) => {
  const adapter = adapters.get(name)
  const given = { members: [1] }
  await adapter.set(key, given)
  given.members.push('changed after set')
  const got = await adapter.get(key)
  got.members.push('changed after get')
  return adapter.get(key)
}

const forget = async ({ name }) => {
  await adapters.get(name).disconnect()
  adapters.delete(name)
}

const describe = (error) => {
  const { name, message, code, field } = error instanceof Error ? error : new Error(`${error}`)
  return { _tag: name, message, ...(code && { code }), ...(field && { field }) }
}

const command = (run) => (args) =>
  Effect.tryPromise({ try: async () => encode(await run(args)), catch: describe })

serve({
  make: command(make),
  call: command(call),
  lockThroughExtend: command(lockThroughExtend),
  setSpoilGet: command(setSpoilGet),
  forget: command(forget),
})
