import { type DjangoStateAdapter, createDjangoState } from './adapter.js'
import { objectNameOf, storedId } from './object-names.js'
import type { DjangoStateOptions } from './options.js'

export interface DjangoNamespaceOptions
  extends Pick<DjangoStateOptions, 'url' | 'token' | 'logger' | 'connectTimeoutMs'> {
  /**
   * The server's shard that keeps the object of a name; undefined, or no option at all, leaves it
   * to the server's settings.
   */
  shard?: (name: string) => string | undefined
}

/** The counterpart of a `DurableObjectId`. */
export interface DjangoObjectId {
  readonly name: string
  toString(): string
  equals(other: { toString(): string }): boolean
}

/** A lock as the Durable Object returns it. */
export interface ObjectLock {
  threadId: string
  token: string
  expiresAt: number
}

/** The methods of `ChatStateDO` of chat-state-cloudflare-do 0.1.1, as a stub has them. */
export interface DjangoObjectStub {
  readonly id: DjangoObjectId
  readonly name: string
  subscribe(threadId: string): Promise<void>
  unsubscribe(threadId: string): Promise<void>
  isSubscribed(threadId: string): Promise<boolean>
  acquireLock(threadId: string, ttlMs: number): Promise<ObjectLock | null>
  releaseLock(threadId: string, token: string): Promise<void>
  extendLock(threadId: string, token: string, ttlMs: number): Promise<boolean>
  /** JSON text, or null. */
  cacheGet(key: string): Promise<string | null>
  cacheSet(key: string, value: string, ttlMs?: number): Promise<void>
  cacheDelete(key: string): Promise<void>
}

/** The part of a `DurableObjectNamespace` that names objects, and `disconnect`. */
export interface DjangoNamespace {
  idFromName(name: string): DjangoObjectId
  /** @param options a location hint; has no effect, see `DjangoNamespaceOptions.shard` */
  get(id: DjangoObjectId, options?: object): DjangoObjectStub
  getByName(name: string, options?: object): DjangoObjectStub
  /** Close the connection; the next call opens it again. */
  disconnect(): Promise<void>
}

/**
 * What `createCloudflareState({ namespace })` of chat-state-cloudflare-do takes for a binding.
 *
 * It connects at the first call. Objects of different names share nothing; the object "default"
 * is the state that `createDjangoState` with the same token sees.
 *
 * @throws TypeError for a URL or token that is missing or cannot be one
 */
export function createDjangoNamespace(options: DjangoNamespaceOptions = {}): DjangoNamespace {
  const { shard, ...adapterOptions } = options
  const shardOf = (stored: string) => shard?.(objectNameOf(stored))
  const state = createDjangoState({ ...adapterOptions, shardKey: shardOf, keyShard: shardOf })
  const get = (id: DjangoObjectId) => new ObjectStub(id, state)
  return {
    idFromName: objectId,
    get,
    getByName: (name) => get(objectId(name)),
    disconnect: () => state.disconnect(),
  }
}

function objectId(name: string): DjangoObjectId {
  return {
    name,
    toString: () => name,
    equals: (other) => other.toString() === name,
  }
}

class ObjectStub implements DjangoObjectStub {
  readonly name: string

  constructor(
    readonly id: DjangoObjectId,
    readonly state: DjangoStateAdapter,
  ) {
    this.name = id.name
  }

  async subscribe(threadId: string): Promise<void> {
    await (await this.#connected()).subscribe(this.#stored(threadId))
  }

  async unsubscribe(threadId: string): Promise<void> {
    await (await this.#connected()).unsubscribe(this.#stored(threadId))
  }

  async isSubscribed(threadId: string): Promise<boolean> {
    return (await this.#connected()).isSubscribed(this.#stored(threadId))
  }

  async acquireLock(threadId: string, ttlMs: number): Promise<ObjectLock | null> {
    const lock = await (await this.#connected()).acquireLock(this.#stored(threadId), ttlMs)
    return lock === null ? null : { ...lock, threadId }
  }

  async releaseLock(threadId: string, token: string): Promise<void> {
    await (await this.#connected()).releaseLock(this.#lock(threadId, token))
  }

  async extendLock(threadId: string, token: string, ttlMs: number): Promise<boolean> {
    return (await this.#connected()).extendLock(this.#lock(threadId, token), ttlMs)
  }

  async cacheGet(key: string): Promise<string | null> {
    const value = await (await this.#connected()).get(this.#stored(key))
    return value === null ? null : JSON.stringify(value)
  }

  async cacheSet(key: string, value: string | undefined, ttlMs?: number): Promise<void> {
    // undefined is what the package makes of an undefined value; it is kept as null
    const parsed: unknown = value === undefined ? null : JSON.parse(value)
    await (await this.#connected()).set(this.#stored(key), parsed, ttlMs)
  }

  async cacheDelete(key: string): Promise<void> {
    await (await this.#connected()).delete(this.#stored(key))
  }

  async #connected(): Promise<DjangoStateAdapter> {
    await this.state.connect()
    return this.state
  }

  #stored(id: string): string {
    return storedId(this.name, id)
  }

  #lock(threadId: string, token: string): ObjectLock {
    // expiresAt is for the holder alone: the server looks at the token
    return { threadId: this.#stored(threadId), token, expiresAt: 0 }
  }
}
