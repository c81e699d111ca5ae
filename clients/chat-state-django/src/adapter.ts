import type { Lock, QueueEntry, StateAdapter } from 'chat'

import type { Reply } from './calls.js'
import { Client, type ClientLogger, type ClientOptions } from './client.js'
import { type Clock, systemClock } from './clock.js'
import { NotConnectedError } from './errors.js'
import { type DjangoStateOptions, required, socketUrl, type StrandedHandler } from './options.js'
import { jsonText, type Members, operation, optionalNumber } from './protocol.js'
import { type OpenSocket, openSocket } from './websocket.js'

const CONNECT_TIMEOUT_MS = 10_000

/** Below the 10 s between two of Chat's heartbeats: the next one may still save the lock. */
const EXTEND_TIMEOUT_MS = 8_000

/** Chat releases behind each message, in a `finally`; it need not wait for a server that is away. */
const RELEASE_PATIENCE_MS = 3_000

/** What the adapter needs of the world; tests hand in their own. */
export interface Platform {
  readonly openSocket: OpenSocket
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
}

const system: Platform = { openSocket, clock: systemClock, random: Math.random }

/** A lock, and a number that is larger for each later holder. */
export interface FencedLock {
  readonly lock: Lock
  /** Whatever keeps the largest one that it has seen can refuse a holder who comes too late. */
  readonly fence: number
}

interface AcquiredLock {
  readonly token: string
  readonly fence: number
  /** What the server made of the ttl: it rounds up, and ends at ten years. */
  readonly ttlMs: number
}

interface Stranded {
  readonly stranded: boolean
}

interface DequeuedEntry {
  readonly message: QueueEntry['message']
  readonly enqueuedAt: number
  readonly expiresAt: number
  readonly ttlMs: number
}

/** The `StateAdapter` of Chat SDK on a Django chat state server. */
export class DjangoStateAdapter implements StateAdapter {
  readonly #options: DjangoStateOptions
  readonly #clientOptions: ClientOptions
  readonly #logger: ClientLogger
  readonly #clock: Clock
  readonly #strandedHandlers = new Set<StrandedHandler>()
  readonly #passedOver = new Set<string>()
  #client: Client | null = null
  #connecting: { client: Client; done: Promise<void> } | null = null

  /** @throws TypeError for a URL or token that is missing or cannot be one */
  constructor(options: DjangoStateOptions = {}, platform: Platform = system) {
    this.#options = options
    this.#logger = options.logger ?? console
    this.#clock = platform.clock
    if (options.onStranded) this.#strandedHandlers.add(options.onStranded)
    this.#clientOptions = {
      ...platform,
      url: socketUrl(required(options.url, 'url', 'CHAT_STATE_URL')),
      token: required(options.token, 'token', 'CHAT_STATE_TOKEN'),
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      logger: this.#logger,
    }
  }

  /**
   * Connect, unless that was done. Calls at one time share an attempt; after a failed one, and
   * after `disconnect()`, it can be called again. A lost connection comes back by itself.
   *
   * @throws ChatStateError `unauthorized` for a token that the server does not know, `unavailable`
   * when there is no server
   */
  async connect(): Promise<void> {
    if (this.#client !== null && this.#client.end === null) return
    this.#connecting ??= this.#beginConnecting()
    await this.#connecting.done
  }

  /** Let go of the connection. What the server keeps stays. */
  async disconnect(): Promise<void> {
    const clients = [this.#client, this.#connecting?.client]
    this.#client = null
    this.#connecting = null
    await Promise.all(clients.map((client) => client?.stop()))
  }

  async subscribe(threadId: string): Promise<void> {
    await this.#callThread('subscribe', threadId)
  }

  async unsubscribe(threadId: string): Promise<void> {
    await this.#callThread('unsubscribe', threadId)
  }

  async isSubscribed(threadId: string): Promise<boolean> {
    const { value } = await this.#callThread('isSubscribed', threadId)
    return value === true
  }

  /** `expiresAt` of the lock is told in this machine's clock. */
  async acquireLock(threadId: string, ttlMs: number): Promise<Lock | null> {
    const acquired = await this.acquireFencedLock(threadId, ttlMs)
    return acquired && acquired.lock
  }

  /** `acquireLock`, for whoever wants to know the fence; Chat SDK does not ask for it. */
  async acquireFencedLock(threadId: string, ttlMs: number): Promise<FencedLock | null> {
    const acquired = await this.#acquire(threadId, ttlMs)
    // The answer came after a cut, and so late that someone else may hold the lock by now. A ttl
    // of zero or less is over whenever it comes: that is what was asked for.
    const isStale = acquired !== null && ttlMs > 0 && acquired.lock.expiresAt <= this.#clock.now()
    return isStale ? this.#acquire(threadId, ttlMs) : acquired
  }

  /** Returns after 3 s at the latest; the release itself is tried for as long as other calls. */
  async releaseLock(lock: Lock): Promise<void> {
    const { threadId, token } = lock
    const released = this.#callThread('releaseLock', threadId, { token: jsonText(token) })
    await this.#patiently(this.#afterRelease(threadId, released))
  }

  async extendLock(lock: Lock, ttlMs: number): Promise<boolean> {
    const members = { token: jsonText(lock.token), ttlMs: jsonText(ttlMs) }
    const reply = await this.#callThread('extendLock', lock.threadId, members, EXTEND_TIMEOUT_MS)
    return reply.value === true
  }

  async forceReleaseLock(threadId: string): Promise<void> {
    await this.#callThread('forceReleaseLock', threadId)
  }

  async get<T = unknown>(key: string): Promise<T | null> {
    const { value } = await this.#callKey('get', key)
    return value as T | null
  }

  async set<T = unknown>(key: string, value: T, ttlMs?: number): Promise<void> {
    await this.#callKey('set', key, { value: jsonText(value), ttlMs: optionalNumber(ttlMs) })
  }

  async setIfNotExists(key: string, value: unknown, ttlMs?: number): Promise<boolean> {
    const members = { value: jsonText(value), ttlMs: optionalNumber(ttlMs) }
    const reply = await this.#callKey('setIfNotExists', key, members)
    return reply.value === true
  }

  async delete(key: string): Promise<void> {
    await this.#callKey('delete', key)
  }

  async appendToList(
    key: string,
    value: unknown,
    options?: { maxLength?: number; ttlMs?: number },
  ): Promise<void> {
    if (this.#isPassedOver(key, value)) return
    await this.#callKey('appendToList', key, {
      value: jsonText(value),
      maxLength: optionalNumber(options?.maxLength),
      ttlMs: optionalNumber(options?.ttlMs),
    })
  }

  async getList<T = unknown>(key: string): Promise<T[]> {
    const { value } = await this.#callKey('getList', key)
    return value as T[]
  }

  async enqueue(threadId: string, entry: QueueEntry, maxSize: number): Promise<number> {
    const { value } = await this.#callThread('enqueue', threadId, {
      message: jsonText(entry.message),
      enqueuedAt: jsonText(entry.enqueuedAt),
      expiresAt: jsonText(entry.expiresAt),
      // the server measures how long the entry lives between two instants of one clock, ours
      sentAt: jsonText(this.#clock.now()),
      maxSize: optionalNumber(maxSize),
    })
    const { depth, stranded } = value as Stranded & { depth: number }
    this.#tellIfStranded(threadId, { stranded })
    return depth
  }

  async dequeue(threadId: string): Promise<QueueEntry | null> {
    const { value } = await this.#callThread('dequeue', threadId)
    if (value === null) return null
    const { message, enqueuedAt, expiresAt, ttlMs } = value as DequeuedEntry
    const now = this.#clock.now()
    // The server says that it lives. Chat drops what is past by the bot's own clock, which may be
    // ahead of the one that wrote it.
    return { message, enqueuedAt, expiresAt: expiresAt < now ? now + ttlMs : expiresAt }
  }

  async queueDepth(threadId: string): Promise<number> {
    const { value } = await this.#callThread('queueDepth', threadId)
    return value as number
  }

  /**
   * Be told of stranded queues, as by the option of that name.
   *
   * @returns a function that ends it
   */
  onStranded(handler: StrandedHandler): () => void {
    this.#strandedHandlers.add(handler)
    return () => this.#strandedHandlers.delete(handler)
  }

  /**
   * Leave out the next append of this message to this list; `rescueStranded` gives Chat messages
   * whose history was written when they first came.
   *
   * @internal
   * @returns a function that takes it back
   */
  passOver(key: string, messageId: string): () => void {
    const name = passedOverName(key, messageId)
    this.#passedOver.add(name)
    return () => this.#passedOver.delete(name)
  }

  #beginConnecting(): { client: Client; done: Promise<void> } {
    const client = new Client(this.#clientOptions)
    const connecting = { client, done: this.#finishConnecting(client) }
    return connecting
  }

  async #finishConnecting(client: Client): Promise<void> {
    try {
      await client.start()
      // disconnect() stops a client that is on its way: its start() fails
      this.#client = client
    } finally {
      if (this.#connecting?.client === client) this.#connecting = null
    }
  }

  async #acquire(threadId: string, ttlMs: number): Promise<FencedLock | null> {
    const members = { ttlMs: jsonText(ttlMs) }
    const { value, sentAt } = await this.#callThread('acquireLock', threadId, members)
    if (value === null) return null
    const acquired = value as AcquiredLock
    const lock = { threadId, token: acquired.token, expiresAt: sentAt + acquired.ttlMs }
    return { lock, fence: acquired.fence }
  }

  async #afterRelease(threadId: string, released: Promise<Reply>): Promise<void> {
    try {
      this.#tellIfStranded(threadId, (await released).value as Stranded)
    } catch (error) {
      if (error instanceof NotConnectedError) throw error
      this.#logger.warn('a lock could not be released; it lapses by its ttl', { threadId, error })
    }
  }

  // What comes of `done` later, a rejection as well, is nobody's concern.
  #patiently(done: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(RELEASE_PATIENCE_MS, resolve)
      done.finally(() => timer.cancel()).then(resolve, reject)
    })
  }

  #callThread(
    name: string,
    threadId: string,
    members: Members = {},
    timeoutMs?: number,
  ): Promise<Reply> {
    const shard = shardText(this.#options.shardKey?.(threadId))
    return this.#call(name, { threadId: jsonText(threadId), ...members, shard }, timeoutMs)
  }

  #callKey(name: string, key: string, members: Members = {}): Promise<Reply> {
    const shard = shardText(this.#options.keyShard?.(key))
    return this.#call(name, { key: jsonText(key), ...members, shard })
  }

  #call(name: string, members: Members, timeoutMs?: number): Promise<Reply> {
    if (this.#client === null) throw new NotConnectedError()
    return this.#client.call(operation(name, members, timeoutMs))
  }

  #tellIfStranded(threadId: string, { stranded }: Stranded): void {
    if (!stranded) return
    for (const handler of this.#strandedHandlers) void this.#tellStranded(handler, threadId)
  }

  async #tellStranded(handler: StrandedHandler, threadId: string): Promise<void> {
    try {
      await handler(threadId)
    } catch (error) {
      this.#logger.error('onStranded failed', { threadId, error })
    }
  }

  #isPassedOver(key: string, value: unknown): boolean {
    if (this.#passedOver.size === 0) return false
    const { id } = (value ?? {}) as { id?: unknown }
    return typeof id === 'string' && this.#passedOver.delete(passedOverName(key, id))
  }
}

/** Make the state adapter; as `new DjangoStateAdapter(options)`. */
export function createDjangoState(options: DjangoStateOptions = {}): DjangoStateAdapter {
  return new DjangoStateAdapter(options)
}

function shardText(shard: string | undefined): string | undefined {
  return shard === undefined ? undefined : jsonText(shard)
}

function passedOverName(key: string, messageId: string): string {
  return JSON.stringify([key, messageId])
}
