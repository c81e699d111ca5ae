import type { ClientLogger } from './client.js'
import { SOCKET_PATH } from './protocol.js'

export interface DjangoStateOptions {
  /**
   * Where the server is: `https://state.example.org` or `wss://...`. The path of the socket,
   * `/api/chat/v1/socket`, is put behind it unless it is there. Default: `CHAT_STATE_URL` of the
   * environment.
   */
  url?: string
  /**
   * A token of the bot's namespace, made by `manage.py create_chat_token NAMESPACE`. Default:
   * `CHAT_STATE_TOKEN` of the environment.
   */
  token?: string
  /**
   * The name of the shard that keeps a thread's subscription, lock and queue; undefined leaves it
   * to the server, as leaving out the option does. Must always give the same name for a thread.
   */
  shardKey?: (threadId: string) => string | undefined
  /** The same for the keys of cache entries and lists. */
  keyShard?: (key: string) => string | undefined
  /**
   * Called when a thread's queue holds entries although nobody holds its lock: nobody would take
   * them out before the thread's next message. `rescueStranded` is the ready-made answer.
   */
  onStranded?: StrandedHandler
  /** Where warnings go; a Chat SDK `Logger` is one. Default: the console. */
  logger?: ClientLogger
  /** How long `connect()` may take, in milliseconds. Default: 10,000. */
  connectTimeoutMs?: number
}

/** Told of a stranded queue by its lock key, which is a thread id or a channel id. */
export type StrandedHandler = (threadId: string) => void | Promise<void>

/**
 * The URL of the server's socket.
 *
 * @param url of the site, of a place below it, or of the socket itself
 * @throws TypeError for what is no http(s) or ws(s) URL
 */
export function socketUrl(url: string): string {
  const parsed = new URL(url)
  const scheme = { 'http:': 'ws:', 'https:': 'wss:', 'ws:': 'ws:', 'wss:': 'wss:' }[parsed.protocol]
  if (scheme === undefined) {
    throw new TypeError(`url must begin with http, https, ws or wss, not ${parsed.protocol}`)
  }
  const path = parsed.pathname.replace(/\/+$/, '')
  // put together by hand: a URL object refuses to change its scheme from http to ws
  return `${scheme}//${parsed.host}${path.endsWith(SOCKET_PATH) ? path : path + SOCKET_PATH}`
}

/**
 * An option, or the environment's variable of that name.
 *
 * @throws TypeError when there is neither
 */
export function required(option: string | undefined, name: string, variable: string): string {
  const value = option ?? environment()[variable]
  if (value) return value
  throw new TypeError(`createDjangoState needs ${name}, or ${variable} in the environment`)
}

// not every platform has a process
function environment(): Readonly<Record<string, string | undefined>> {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } }
  return process?.env ?? {}
}
