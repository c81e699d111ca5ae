// the part that the platform's WebSocket and that of npm `ws` have in common
export interface WebSocketLike {
  addEventListener(type: 'open' | 'close' | 'error', listener: () => void): void
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
  send(text: string): void
  close(code?: number): void
  terminate?(): void
}

/** Open a socket with the platform's own WebSocket, or with npm `ws` where there is none. */
export async function openSocket(url: string): Promise<WebSocketLike> {
  const { WebSocket } = globalThis as { WebSocket?: new (url: string) => WebSocketLike }
  if (WebSocket !== undefined) return new WebSocket(url)
  const { WebSocket: NodeWebSocket } = await import('ws')
  return new NodeWebSocket(url, { perMessageDeflate: false })
}

/** Let a socket go at once: a peer that is gone never answers a closing handshake. */
export function discard(socket: WebSocketLike): void {
  if (socket.terminate) socket.terminate()
  else socket.close()
}
