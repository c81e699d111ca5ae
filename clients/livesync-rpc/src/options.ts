import type { Server } from './follow.js'

export const RPC_PATH = '/api/sync/v1/rpc'

export interface RpcStubOptions {
  /**
   * Where the server is: `https://sync.example.org`, or a place below it. The path of RPC,
   * `/api/sync/v1/rpc`, is put behind it unless it is there.
   */
  url: string
  /** The store; requests that name another are refused. */
  storeId: string
  /** What the server validates: the app's `syncPayload`. */
  payload?: unknown
  /** Further headers of the requests over HTTP. The WebSocket, which can have none, has the payload. */
  headers?: Readonly<Record<string, string>>
  /**
   * Takes the updates of live pulls, as a Durable Object's `syncUpdateRpc` does; usually
   * `handleSyncUpdateRpc`. Without it they come in the stream of their pull, which loses none that
   * come before the client is ready, and can tell a client that the store was reset.
   */
  syncUpdateRpc?: (update: any, storeId: string) => Promise<void>
  /** What it takes: the chunk (LiveStore 0.4.0, the default), or its bytes (the next generation). */
  updates?: 'object' | 'bytes'
  /** Where warnings go. Default: the console. */
  logger?: { warn(message: string, ...details: unknown[]): void }
}

/**
 * The URLs of a store.
 *
 * @throws TypeError for what is no http(s) or ws(s) URL
 */
export function serverOf(options: RpcStubOptions): Server {
  const { host, pathname, protocol } = new URL(options.url)
  const scheme = { 'http:': 'http', 'https:': 'https', 'ws:': 'http', 'wss:': 'https' }[protocol]
  if (scheme === undefined) {
    throw new TypeError(`url must begin with http, https, ws or wss, not ${protocol}`)
  }
  const path = pathname.replace(/\/+$/, '')
  const place = `://${host}${path.endsWith(RPC_PATH) ? path : path + RPC_PATH}?${queryOf(options)}`
  return {
    storeId: options.storeId,
    httpUrl: `${scheme}${place}&transport=http`,
    socketUrl: `${scheme === 'http' ? 'ws' : 'wss'}${place}&transport=ws`,
    headers: options.headers ?? {},
  }
}

function queryOf({ storeId, payload }: RpcStubOptions): string {
  const query = `storeId=${encodeURIComponent(storeId)}`
  if (payload === undefined) return query
  // encoded twice, as LiveStore's other transports do
  return `${query}&payload=${encodeURIComponent(encodeURIComponent(JSON.stringify(payload)))}`
}
