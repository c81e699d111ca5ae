// What bots store: a message as Chat SDK serialises it (about 700 bytes), and a small state.

export const DEDUPE_TTL_MS = 10 * 60_000
export const LOCK_TTL_MS = 30_000
export const QUEUE_TTL_MS = 90_000
export const STATE_TTL_MS = 30 * 86_400_000
export const HISTORY = { maxLength: 100, ttlMs: 7 * 86_400_000 }
export const TRANSCRIPT = { maxLength: 200 }
export const MAX_QUEUE_SIZE = 10

const TEXT =
  'Could you look at the build of this morning? It failed on the second step, after the packages ' +
  'were installed, and the log says nothing that I understand.'

/** A message of `threadId`; `id` is what tells it from others. */
export function message(id, threadId) {
  return {
    _type: 'chat:Message',
    id,
    threadId,
    text: TEXT,
    formatted: {
      type: 'root',
      children: [{ type: 'paragraph', children: [{ type: 'text', value: TEXT }] }],
    },
    raw: null,
    author: { userId: 'U02ABCDEF', userName: 'ada', fullName: 'Ada', isBot: false, isMe: false },
    metadata: { dateSent: '2026-11-21T12:00:00.000Z', edited: false },
    attachments: [],
    isMention: true,
  }
}

/** A queue entry as Chat SDK makes it. */
export function queueEntry(id, threadId) {
  const now = Date.now()
  return { message: message(id, threadId), enqueuedAt: now, expiresAt: now + QUEUE_TTL_MS }
}

/** What a bot remembers of a thread; `step` is what tells it from others. */
export function threadState(step) {
  return { step, topic: 'the build of this morning', language: 'en', asked: ['log', 'version'] }
}
