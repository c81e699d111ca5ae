/** The close code of a connection that ended without one. */
const ABNORMAL_CLOSURE = 1006

/** What happens on a socket. `onClose` comes once and last, whatever went wrong. */
export interface SocketHandlers {
  onOpen(): void
  onText(text: string): void
  /** @param reason what is known of it, for people; may be empty */
  onClose(code: number, reason: string): void
}

/** A WebSocket, as far as the client needs one. */
export interface Socket {
  send(text: string): void
  /** Close it in good order; `onClose` follows. */
  close(): void
  /** Let it go at once; no handler is called any more. */
  discard(): void
}

export type OpenSocket = (url: string, handlers: SocketHandlers) => Promise<Socket>

// the part that the platform's WebSocket and that of npm `ws` have in common
interface WebSocketLike {
  addEventListener(type: 'open', listener: () => void): void
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
  addEventListener(type: 'error', listener: (event: { message?: unknown }) => void): void
  addEventListener(
    type: 'close',
    listener: (event: { code: number; reason: string }) => void,
  ): void
  send(text: string): void
  close(code?: number): void
  terminate?(): void
}

/** Open a socket with the platform's own WebSocket, or with npm `ws` where there is none. */
export const openSocket: OpenSocket = async (url, handlers) => wrap(await create(url), handlers)

async function create(url: string): Promise<WebSocketLike> {
  const { WebSocket } = globalThis as { WebSocket?: new (url: string) => WebSocketLike }
  if (WebSocket !== undefined) return new WebSocket(url)
  const { WebSocket: NodeWebSocket } = await import('ws')
  return new NodeWebSocket(url, { perMessageDeflate: false })
}

function wrap(socket: WebSocketLike, handlers: SocketHandlers): Socket {
  let listener: SocketHandlers | null = handlers
  let failure = ''
  socket.addEventListener('open', () => listener?.onOpen())
  socket.addEventListener('message', ({ data }) => {
    if (typeof data === 'string') listener?.onText(data)
  })
  const closed = (code: number, reason: string): void => {
    const last = listener
    listener = null
    last?.onClose(code, reason || failure)
  }
  socket.addEventListener('error', ({ message }) => {
    if (typeof message === 'string') failure = message
    // the WebSocket of Node 20 says nothing more of a connection that was refused
    setTimeout(() => closed(ABNORMAL_CLOSURE, ''))
  })
  socket.addEventListener('close', ({ code, reason }) => closed(code, reason))
  return {
    send: (text) => socket.send(text),
    close: () => socket.close(1000),
    discard() {
      listener = null
      // a peer that is gone never answers a closing handshake
      if (socket.terminate) socket.terminate()
      else socket.close()
    },
  }
}
