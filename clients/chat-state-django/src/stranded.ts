import type { Adapter, Message, QueueEntry, StateAdapter, WebhookOptions } from 'chat'

import { DjangoStateAdapter } from './adapter.js'

/** Chat's own prefix for the lists of thread and channel history. */
const HISTORY_PREFIX = 'msg-history:'

/** What the rescue needs of a `Chat`. */
export interface RescuableChat {
  getState(): StateAdapter
  getAdapter(name: string): Adapter
  processMessage(
    adapter: Adapter,
    threadId: string,
    message: Message,
    options?: WebhookOptions,
  ): Promise<void> | void
}

export interface RescueOptions {
  /** Keeps a serverless function alive until the message is handled. */
  waitUntil?: (task: Promise<unknown>) => void
}

/**
 * Give stranded messages to the bot again, from now on.
 *
 * Chat SDK leaves a message in the queue if it comes between the last look of the lock's holder
 * into the queue and the release of the lock (vercel/chat#928). The server notices. Then the
 * entries are taken out of the queue, oldest first, and handed to `chat.processMessage` with
 * `deduplicate: false`, since each was claimed when it first came: the first gets the lock, the
 * others wait in the queue for it, as if they had all just come. History is not written again.
 *
 * @param chat a Chat whose state is a DjangoStateAdapter
 * @returns a function that ends it
 * @throws TypeError when the state is another adapter
 */
export function rescueStranded(chat: RescuableChat, options: RescueOptions = {}): () => void {
  const state = chat.getState()
  if (!(state instanceof DjangoStateAdapter)) {
    throw new TypeError('rescueStranded needs a Chat whose state is a DjangoStateAdapter')
  }
  const rescue = new Rescue(chat, state, options)
  return state.onStranded((lockKey) => rescue.run(lockKey))
}

class Rescue {
  /** The queues that are being emptied; true if one was reported again meanwhile. */
  readonly #running = new Map<string, boolean>()

  constructor(
    readonly chat: RescuableChat,
    readonly state: DjangoStateAdapter,
    readonly options: RescueOptions,
  ) {}

  async run(lockKey: string): Promise<void> {
    if (this.#running.has(lockKey)) {
      this.#running.set(lockKey, true)
      return
    }
    try {
      do {
        this.#running.set(lockKey, false)
        for (const entry of await this.#takeAll(lockKey)) this.#process(entry)
      } while (this.#running.get(lockKey))
    } finally {
      this.#running.delete(lockKey)
    }
  }

  // A holder that comes meanwhile takes entries out too: each goes to one of us.
  async #takeAll(lockKey: string): Promise<Message[]> {
    // loaded here, not above: whoever uses the adapter alone needs chat for its types only
    const { Message } = await import('chat')
    const messages: Message[] = []
    for (;;) {
      const entry: QueueEntry | null = await this.state.dequeue(lockKey)
      if (entry === null) return messages
      messages.push(Message.fromJSON(entry.message as unknown as ReturnType<Message['toJSON']>))
    }
  }

  #process(message: Message): void {
    const { threadId } = message
    const adapter = this.chat.getAdapter(threadId.split(':')[0] ?? '')
    rehydrateAttachments(message, adapter)
    const takeBack = this.#passOverHistory(adapter, message)
    const { waitUntil } = this.options
    const handled = this.chat.processMessage(adapter, threadId, message, {
      deduplicate: false,
      ...(waitUntil ? { waitUntil } : {}),
    })
    // Chat has logged a handler's error
    void Promise.resolve(handled).catch(() => {}).finally(takeBack)
  }

  #passOverHistory(adapter: Adapter, message: Message): () => void {
    if (!adapter.persistThreadHistory && !adapter.persistMessageHistory) return () => {}
    const { threadId, id } = message
    const takeBacks = [threadId, adapter.channelIdFromThreadId(threadId)].map((historyId) =>
      this.state.passOver(HISTORY_PREFIX + historyId, id),
    )
    return () => {
      for (const takeBack of takeBacks) takeBack()
    }
  }
}

// as Chat does with what it takes out of a queue: the way to the content does not survive JSON
function rehydrateAttachments(message: Message, adapter: Adapter): void {
  if (!adapter.rehydrateAttachment) return
  const { attachments, replyTo } = message
  message.attachments = attachments.map((attachment) =>
    attachment.fetchData ? attachment : (adapter.rehydrateAttachment?.(attachment) ?? attachment),
  )
  if (replyTo) rehydrateAttachments(replyTo, adapter)
}
