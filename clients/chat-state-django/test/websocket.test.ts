import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'

import { openSocket } from '../src/websocket.js'

/** As the WebSocket of Node 20: of a connection that was refused it tells the error alone. */
class RefusedWebSocket extends EventTarget {
  constructor(told: readonly Event[]) {
    super()
    setImmediate(() => {
      for (const event of told) this.dispatchEvent(event)
    })
  }
}

const platform = globalThis as { WebSocket?: unknown }
const own = platform.WebSocket
let events: Event[] = []

beforeEach(() => {
  platform.WebSocket = function (): RefusedWebSocket {
    return new RefusedWebSocket(events)
  }
})
afterEach(() => {
  platform.WebSocket = own
})

const errorOf = (message: string): Event => Object.assign(new Event('error'), { message })
const closeOf = (code: number, reason: string): Event =>
  Object.assign(new Event('close'), { code, reason })

async function heard(): Promise<unknown[]> {
  const closes: unknown[] = []
  await new Promise<void>((resolve) => {
    const onClose = (code: number, reason: string): void => {
      closes.push([code, reason])
      resolve()
    }
    void openSocket('ws://127.0.0.1:9', { onOpen: () => {}, onText: () => {}, onClose })
  })
  // a second close would come from a timer that was set before this one
  await new Promise((resolve) => setTimeout(resolve, 5))
  return closes
}

test('an error without a close is the end of a socket', async () => {
  events = [errorOf('refused')]
  assert.deepEqual(await heard(), [[1006, 'refused']])
})

test('a close behind the error tells the code, once', async () => {
  events = [errorOf('a bad frame'), closeOf(1002, '')]
  assert.deepEqual(await heard(), [[1002, 'a bad frame']])
})
