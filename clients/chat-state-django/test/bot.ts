import { type Adapter, Chat, type ConcurrencyConfig, Message, type StateAdapter } from 'chat'

/** A message as a platform delivers it; its id is unique as long as its thread is. */
export function message(text: string, threadId: string): Message {
  return new Message({
    ...{ id: `${threadId}#${text}`, threadId, text, raw: {}, attachments: [], links: [] },
    formatted: { type: 'root', children: [] },
    author: { userId: 'U1', userName: 'ann', fullName: 'Ann', isBot: false, isMe: false },
    metadata: { dateSent: new Date(0), edited: false },
    isMention: true,
  })
}

/** A platform without a platform: threads are called `fake:CHANNEL:THREAD`. */
export function fakePlatform(members: Partial<Adapter> = {}): Adapter {
  return {
    name: 'fake',
    userName: 'bot',
    initialize: async () => {},
    channelIdFromThreadId: (threadId: string) => threadId.split(':').slice(0, 2).join(':'),
    ...members,
  } as unknown as Adapter
}

/** A bot on the fake platform. */
export function bot(
  state: StateAdapter,
  platform: Adapter,
  concurrency: 'queue' | ConcurrencyConfig = 'queue',
): Chat {
  const adapters = { fake: platform }
  return new Chat({ userName: 'bot', adapters, state, concurrency, logger: 'silent' })
}
