// A chat platform in this process: webhooks come from `receive`, posts stay in `posts`.
import { Message } from 'chat'

const EPOCH_MS = Date.UTC(2026, 0, 1)

/** The message that `raw` stands for: its thread, id, text and sender. */
const parse = (raw) =>
  new Message({
    id: raw.messageId,
    threadId: raw.thread,
    text: raw.text,
    formatted: { type: 'root', children: [] },
    raw,
    author: {
      userId: raw.user,
      userName: raw.user,
      fullName: `Full name of ${raw.user}`,
      isBot: false,
      isMe: false,
    },
    metadata: { dateSent: new Date(EPOCH_MS), edited: false },
    attachments: [],
  })

export class FakePlatform {
  name = 'fake'
  userName = 'bot'
  posts = []
  #chat
  #count = 0

  constructor({ keepsHistory, letsAbort }) {
    this.persistThreadHistory = keepsHistory
    this.supportsTurnCancellation = letsAbort
  }

  /** Delivers a message as its webhook would; settles as all that the bot does about it has. */
  async receive(webhook, raw) {
    const tasks = []
    const request = new Request('http://bot.test/webhook', { method: 'POST', body: JSON.stringify(raw) })
    await webhook(request, { waitUntil: (task) => tasks.push(task), propagateHandlerErrors: true })
    await Promise.all(tasks)
  }

  async initialize(chat) {
    this.#chat = chat
  }

  async handleWebhook(request, options) {
    const raw = await request.json()
    // who waits for it is told by waitUntil
    this.#chat.processMessage(this, raw.thread, parse(raw), options).catch(() => {})
    return new Response('ok')
  }

  async postMessage(threadId, text) {
    this.posts.push({ thread: threadId, text })
    this.#count += 1
    return { id: `${threadId}-post-${this.#count}`, threadId, raw: {} }
  }

  async fetchMessages() {
    return { messages: [] } // so that history is what the state keeps
  }

  async fetchThread(threadId) {
    return { id: threadId, channelId: this.channelIdFromThreadId(threadId), metadata: {} }
  }

  parseMessage = parse

  channelIdFromThreadId(threadId) {
    return threadId.split(':').slice(0, 2).join(':')
  }

  encodeThreadId = (parts) => parts.join(':')

  decodeThreadId = (threadId) => threadId.split(':')

  renderFormatted = () => ''
}
