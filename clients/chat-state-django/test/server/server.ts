import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

import { createDjangoState, type DjangoStateAdapter, type DjangoStateOptions } from '../../src/index.js'

const { CHAT_STATE_URL, CHAT_STATE_TOKEN } = process.env

/** Options of `test`: these tests need a server. */
export const needsServer = {
  skip: CHAT_STATE_URL && CHAT_STATE_TOKEN ? false : 'needs CHAT_STATE_URL and CHAT_STATE_TOKEN',
  timeout: 60_000,
}

/** A name that no other test uses: all share the token's namespace. */
export function unique(prefix: string): string {
  return `${prefix}:${randomUUID()}`
}

/** An adapter on the served site, connected; the test's end disconnects it. */
export async function served(
  t: TestContext,
  options: DjangoStateOptions = {},
): Promise<DjangoStateAdapter> {
  const state = createDjangoState(options)
  t.after(() => state.disconnect())
  await state.connect()
  return state
}

/** A way to the served site that can be cut. */
export class Cable {
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((near) => {
    const { hostname, port } = new URL(CHAT_STATE_URL ?? '')
    const far = connect(Number(port), hostname)
    for (const [from, to] of [[near, far], [far, near]] as const) {
      this.#sockets.add(from)
      from.pipe(to)
      from.on('error', () => to.destroy())
      from.on('close', () => this.#sockets.delete(from) && to.destroy())
    }
  })

  static async lay(t: TestContext): Promise<Cable> {
    const cable = new Cable()
    cable.#server.listen(0, '127.0.0.1')
    await once(cable.#server, 'listening')
    t.after(() => {
      cable.#server.close()
      cable.cut()
    })
    return cable
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Cut every connection; new ones can be made at once. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }
}

/** Resolves when `count` things were noted. */
export class Notes<T> {
  readonly all: T[] = []
  #wanted: { count: number; resolve: () => void } | null = null

  add(item: T): void {
    this.all.push(item)
    if (this.#wanted && this.all.length >= this.#wanted.count) this.#wanted.resolve()
  }

  async until(count: number): Promise<readonly T[]> {
    if (this.all.length < count) {
      await new Promise<void>((resolve) => {
        this.#wanted = { count, resolve }
      })
    }
    return this.all
  }
}
