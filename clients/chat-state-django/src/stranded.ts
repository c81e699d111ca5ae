import type { Adapter, Message, QueueEntry, StateAdapter, WebhookOptions } from 'chat'

import { DjangoStateAdapter } from './adapter.js'

/** A message as it comes out of a queue. */
type KeptMessage = ReturnType<Message['toJSON']>

/** Chat's own prefix for the lists of thread and channel history. */
const HISTORY_PREFIX = 'msg-history:'

/** What the rescue needs of a `Chat`. */
export interface RescuableChat {
  getState(): StateAdapter
  getAdapter(name: string): Adapter | undefined
  processMessage(
    adapter: Adapter,
    threadId: string,
    message: () => Promise<Message>,
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
        await this.#empty(lockKey)
      } while (this.#running.get(lockKey))
    } finally {
      this.#running.delete(lockKey)
    }
  }

  // All are out before the first goes back in: a message that finds the lock held is queued again.
  // A holder that comes meanwhile takes entries out too; each goes to one of us.
  async #empty(lockKey: string): Promise<void> {
    const name = lockKey.split(':')[0] ?? ''
    const adapter = this.chat.getAdapter(name)
    // another bot of the namespace may have that platform: its messages stay where they are
    if (adapter === undefined) throw new Error(`this bot has no platform "${name}"`)
    const entries: QueueEntry[] = []
    try {
      let entry: QueueEntry | null
      while ((entry = await this.state.dequeue(lockKey)) !== null) entries.push(entry)
    } finally {
      // also if the connection failed: what was taken out is nowhere else
      for (const { message } of entries) this.#process(adapter, message as unknown as KeptMessage)
    }
  }

  #process(adapter: Adapter, kept: KeptMessage): void {
    let takeBack = () => {}
    const read = async (): Promise<Message> => {
      // loaded here, not above: whoever uses the adapter alone needs chat for its types only
      const { Message } = await import('chat')
      const message = Message.fromJSON(kept)
      rehydrateAttachments(message, adapter)
      takeBack = this.#passOverHistory(adapter, message)
      return message
    }
    const { waitUntil } = this.options
    const handled = this.chat.processMessage(adapter, kept.threadId, read, {
      deduplicate: false,
      ...(waitUntil ? { waitUntil } : {}),
    })
    // Chat has logged the error
    void Promise.resolve(handled)
      .catch(() => {})
      .finally(() => takeBack())
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
