// The state adapters that a bot may be given, and what stands between them and the bot.
import { createMemoryState } from '@chat-adapter/state-memory'

const memories = new Map()

/** One for all bots of this process that give the same name, as memory is all they could share. */
const memory = ({ name }) => {
  if (!memories.has(name)) memories.set(name, createMemoryState())
  return memories.get(name)
}

const remote = async ({ url, token, options = {} }) => {
  const { createDjangoState } = await import('chat-state-django')
  return createDjangoState({ url, token, ...options })
}

/** The adapter that `kind` names; each call makes its own, but for memory. */
export const openState = async ({ kind, ...options }) => ({ memory, remote })[kind](options)

/** Let the bot handle what was stranded in its queues. */
export const rescue = async (chat) => {
  const { rescueStranded } = await import('chat-state-django')
  rescueStranded(chat)
}

/** An adapter of which some methods are replaced; the others are those of `state`. */
export const replacing = (state, methods) =>
  new Proxy(state, {
    get: (target, name) => {
      if (Object.hasOwn(methods, name)) return methods[name]
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

/** Stops at `before enqueue` and `after dequeue`, where `pauses` says so. */
export const pausing = (pauses, state) =>
  replacing(state, {
    enqueue: async (...args) => {
      await pauses.at('before enqueue')
      return state.enqueue(...args)
    },
    dequeue: async (threadId) => {
      const entry = await state.dequeue(threadId)
      await pauses.at('after dequeue')
      return entry
    },
  })

/** Locks that last `ttlMs`, whatever the bot asks for: Chat's own 30 s are no option of it. */
export const withLocksOf = (ttlMs, state) =>
  replacing(state, {
    acquireLock: (threadId) => state.acquireLock(threadId, ttlMs),
    extendLock: (lock) => state.extendLock(lock, ttlMs),
  })
