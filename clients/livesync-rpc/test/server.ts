import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

import { type WebSocket, WebSocketServer } from 'ws'

import { type Cursor, type Option, pack, readRequest, type RequestId } from '../src/messages.js'

/** What the test's server is asked over HTTP, and how it answers. */
export interface Post {
  readonly id: RequestId
  readonly tag: string
  readonly cursor: Option<Cursor>
  readonly response: ServerResponse
}

/** What it is asked on a socket: the subscription, then Acks and Pings. */
export interface Subscriber {
  readonly cursor: Option<Cursor>
  readonly socket: WebSocket
  readonly heard: { _tag: string }[]
}

/** A sync server played by the test: it answers each request by hand, in the order they come. */
export class FakeServer {
  readonly posts = new Queue<Post>()
  readonly subscribers = new Queue<Subscriber>()
  readonly #http = createServer((request, response) => void this.#receive(request, response))
  readonly #sockets = new WebSocketServer({ server: this.#http })

  async start(t: TestContext): Promise<string> {
    this.#sockets.on('connection', (socket) => this.#connect(socket))
    await new Promise<void>((resolve) => this.#http.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      this.#http.closeAllConnections()
      this.#http.close()
      for (const socket of this.#sockets.clients) socket.terminate()
    })
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const { id, tag, payload } = readRequest(Buffer.concat(parts))
    this.posts.put({ id, tag, cursor: payload.cursor, response })
  }

  #connect(socket: WebSocket): void {
    const heard: { _tag: string }[] = []
    socket.on('message', (data) => {
      const message = JSON.parse(String(data))
      if (message._tag !== 'Request') heard.push(message)
      else this.subscribers.put({ cursor: message.payload.cursor, socket, heard })
    })
  }
}

/** Things to come, each taken once. */
class Queue<T> {
  readonly #found: T[] = []
  #wake: () => void = () => {}

  put(one: T): void {
    this.#found.push(one)
    this.#wake()
  }

  async next(): Promise<T> {
    for (;;) {
      const one = this.#found.shift()
      if (one !== undefined) return one
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

export const page = (...numbers: number[]) => ({
  batch: numbers.map((seqNum) => ({ eventEncoded: { seqNum } })),
  pageInfo: { _tag: 'NoMore' as const },
  backendId: 'history',
})

export const chunk = (...numbers: number[]) => ({
  _tag: 'Chunk' as const,
  requestId: '1',
  values: [page(...numbers)] as const,
})

export const exit = (exit: unknown = { _tag: 'Success' }) => ({ _tag: 'Exit', requestId: '1', exit })

export const failure = (error: object) => exit({ _tag: 'Failure', cause: { _tag: 'Fail', error } })

/** A message as the server frames it. */
export function framed(message: unknown): Buffer {
  const data = Buffer.from(pack(message))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  return Buffer.concat([length, data])
}

/** Wait for what no event tells. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
