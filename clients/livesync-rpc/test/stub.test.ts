import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'

import type { WebSocket } from 'ws'

import { createRpcStub, type RpcStub, type RpcStubOptions } from '../src/index.js'
import { type Answer, pack, readAnswer } from '../src/messages.js'
import { chunk, exit, failure, FakeServer, framed, until } from './server.js'

const TIMEOUT = { timeout: 60_000 }
const NONE = { _tag: 'None' }
const after = (eventSequenceNumber: number) => ({
  _tag: 'Some',
  value: { backendId: 'history', eventSequenceNumber },
})

const request = (procedure: string, payload: object = {}): Uint8Array =>
  pack({ _tag: 'Request', id: '1', tag: `SyncDoRpc.${procedure}`, payload, headers: [] })

const livePull = (caller = 'me'): Uint8Array => {
  const callerContext = { bindingName: 'CLIENT', durableObjectId: caller }
  return request('Pull', { storeId: 's', cursor: NONE, rpcContext: { callerContext } })
}

interface Set {
  readonly server: FakeServer
  readonly stub: RpcStub
}

async function setUp(t: TestContext, options: Partial<RpcStubOptions> = {}): Promise<Set> {
  const server = new FakeServer()
  const stub = createRpcStub({ url: await server.start(t), storeId: 's', ...options })
  t.after(() => stub.close())
  return { server, stub }
}

/** The reader of a pull's answers. */
async function pulling(stub: RpcStub, bytes: Uint8Array) {
  const stream = await stub.rpc(bytes)
  assert.ok(stream instanceof ReadableStream)
  const reader = stream.getReader()
  return {
    next: async (): Promise<Answer | null> => {
      const { done, value } = await reader.read()
      return done ? null : readAnswer(value)
    },
    cancel: () => reader.cancel(),
  }
}

const numbers = (answer: Answer | null): number[] => {
  assert.equal(answer?._tag, 'Chunk')
  return answer.values[0].batch.map(({ eventEncoded }) => eventEncoded.seqNum)
}

test('an answer is given as it came', TIMEOUT, async (t) => {
  const { server, stub } = await setUp(t)
  const pushed = stub.rpc(request('Push'))
  const { response, tag } = await server.posts.next()
  response.end(framed(exit({ _tag: 'Success', value: {} })))

  assert.equal(tag, 'SyncDoRpc.Push')
  assert.deepEqual(readAnswer((await pushed) as Uint8Array), exit({ _tag: 'Success', value: {} }))
})

test('a push is sent again while the server is away', TIMEOUT, async (t) => {
  const { server, stub } = await setUp(t)
  const pushed = stub.rpc(request('Push'))
  ;(await server.posts.next()).response.destroy()
  ;(await server.posts.next()).response.writeHead(503).end('the outcome is not known')
  ;(await server.posts.next()).response.end(framed(exit()))

  assert.deepEqual(readAnswer((await pushed) as Uint8Array), exit())
})

test('a refusal is an error of the request, with its reason', TIMEOUT, async (t) => {
  const { server, stub } = await setUp(t)
  const pushed = stub.rpc(request('Push'))
  ;(await server.posts.next()).response.writeHead(400).end('Invalid auth token')

  const answer = JSON.stringify(readAnswer((await pushed) as Uint8Array))
  assert.match(answer, /UnknownError/)
  assert.match(answer, /400: Invalid auth token/)
})

test('a ping that reaches nobody fails at once', TIMEOUT, async (t) => {
  const { server, stub } = await setUp(t)
  const pinged = stub.rpc(request('Ping'))
  ;(await server.posts.next()).response.destroy()

  assert.match(JSON.stringify(readAnswer((await pinged) as Uint8Array)), /UnknownError/)
})

test('stored pages go on behind the last one that came whole', TIMEOUT, async (t) => {
  const { server, stub } = await setUp(t)
  const pull = await pulling(stub, request('Pull', { storeId: 's', cursor: NONE }))
  const first = pull.next()
  const { response } = await server.posts.next()
  const second = framed(chunk(3, 4))
  response.write(framed(chunk(1, 2)))
  assert.deepEqual(numbers(await first), [1, 2])
  const next = pull.next()
  response.write(second.subarray(0, second.length - 1), () => response.destroy())

  const again = await server.posts.next()
  assert.deepEqual(again.cursor, after(2))
  again.response.end(Buffer.concat([framed(chunk(3, 4)), framed(exit())]))
  assert.deepEqual(numbers(await next), [3, 4])
  assert.deepEqual(await pull.next(), exit())
  assert.equal(await pull.next(), null)
})

test('a storage that is away for a while ends no pull', TIMEOUT, async (t) => {
  const { server, stub } = await setUp(t)
  const pull = await pulling(stub, request('Pull', { storeId: 's', cursor: NONE }))
  const first = pull.next()
  const away = { _tag: 'UnknownError', cause: { name: 'StorageUnavailableError', message: '' } }
  ;(await server.posts.next()).response.end(framed(failure(away)))
  ;(await server.posts.next()).response.end(Buffer.concat([framed(chunk()), framed(exit())]))

  assert.deepEqual(numbers(await first), [])
})

test('updates come in the stream, each once, through cuts of both ways', TIMEOUT, async (t) => {
  const { server, stub } = await setUp(t)
  const pull = await pulling(stub, livePull())
  const first = pull.next()
  ;(await server.posts.next()).response.end(Buffer.concat([framed(chunk(1)), framed(exit())]))
  assert.deepEqual(numbers(await first), [1])

  const second = pull.next()
  const one = await server.subscribers.next()
  assert.deepEqual(one.cursor, after(1))
  one.socket.send(JSON.stringify(chunk())) // a pull answers, even if there is nothing
  one.socket.send(JSON.stringify(chunk(2)))
  const update = await second
  assert.deepEqual(numbers(update), [2])
  assert.equal(update?._tag === 'Chunk' && Object.keys(update.values[0])[0], 'rpcRequestId')
  one.socket.terminate()

  const third = pull.next()
  const missed = await server.posts.next()
  assert.deepEqual(missed.cursor, after(2))
  missed.response.end(Buffer.concat([framed(chunk(3)), framed(exit())]))
  assert.deepEqual(numbers(await third), [3])
  const fourth = pull.next()
  const other = await server.subscribers.next()
  assert.deepEqual(other.cursor, after(3))
  other.socket.send(JSON.stringify(chunk(4)))
  assert.deepEqual(numbers(await fourth), [4])
})

test('what is not taken is not acknowledged', TIMEOUT, async (t) => {
  const { server, stub } = await setUp(t)
  const pull = await pulling(stub, livePull())
  const first = pull.next()
  ;(await server.posts.next()).response.end(Buffer.concat([framed(chunk(1)), framed(exit())]))
  await first
  const second = pull.next()
  const { heard, socket } = await server.subscribers.next()
  socket.send(JSON.stringify(chunk(2)))
  socket.send(JSON.stringify(chunk(3)))
  await second
  assert.deepEqual(heard, [])

  const third = pull.next()
  assert.deepEqual(numbers(await third), [3])
  await until(() => heard.length === 1)
  assert.deepEqual(heard, [{ _tag: 'Ack', requestId: '1' }])
})

test('a reset ends the pull with its error', TIMEOUT, async (t) => {
  const { server, stub } = await setUp(t)
  const pull = await pulling(stub, livePull())
  const first = pull.next()
  ;(await server.posts.next()).response.end(Buffer.concat([framed(chunk(1)), framed(exit())]))
  await first
  const end = pull.next()
  const mismatch = failure({ _tag: 'BackendIdMismatchError', expected: 'b', received: 'a' })
  ;(await server.subscribers.next()).socket.send(JSON.stringify(mismatch))

  assert.deepEqual(await end, mismatch)
  assert.equal(await pull.next(), null)
})

test('who gives up a pull, or closes the stub, leaves no socket behind', TIMEOUT, async (t) => {
  const { server, stub } = await setUp(t)
  for (const leave of ['cancel', 'close']) {
    const pull = await pulling(stub, livePull())
    const first = pull.next()
    ;(await server.posts.next()).response.end(Buffer.concat([framed(chunk(1)), framed(exit())]))
    await first
    const waiting = pull.next().catch(() => null)
    const { socket } = await server.subscribers.next()

    if (leave === 'cancel') await pull.cancel()
    else stub.close()

    await until(() => socket.readyState === socket.CLOSED)
    assert.equal(await waiting, null)
  }
})

for (const updates of ['object', 'bytes'] as const) {
  test(`updates come by callback, as ${updates}, one after the other`, TIMEOUT, async (t) => {
    const taken: unknown[] = []
    let inside = 0
    const syncUpdateRpc = async (update: unknown, storeId: string): Promise<void> => {
      assert.equal(++inside, 1)
      await new Promise((resolve) => setTimeout(resolve, 5))
      taken.push(updates === 'bytes' ? readAnswer(update as Uint8Array) : update, storeId)
      inside--
    }
    const { server, stub } = await setUp(t, { syncUpdateRpc, updates })
    const pull = await pulling(stub, livePull())
    const first = pull.next()
    ;(await server.posts.next()).response.end(Buffer.concat([framed(chunk(1)), framed(exit())]))
    assert.deepEqual([await first, await pull.next(), await pull.next()], [chunk(1), exit(), null])

    const { socket } = await server.subscribers.next()
    socket.send(JSON.stringify(chunk(2)))
    socket.send(JSON.stringify(chunk(3)))
    await until(() => taken.length === 4)

    assert.deepEqual(taken, [chunk(2), 's', chunk(3), 's'])
  })
}

test('a client that pulls again by callback is called once', TIMEOUT, async (t) => {
  const { server, stub } = await setUp(t, { syncUpdateRpc: async () => {} })
  const sockets: WebSocket[] = []
  for (let round = 0; round < 2; round++) {
    const pull = await pulling(stub, livePull())
    const first = pull.next()
    ;(await server.posts.next()).response.end(Buffer.concat([framed(chunk(1)), framed(exit())]))
    await first
    await pull.next()
    await pull.next()
    sockets.push((await server.subscribers.next()).socket)
  }

  await until(() => sockets[0]?.readyState === 3)
  assert.equal(sockets[1]?.readyState, 1)
})

test('a callback that fails gets no more', TIMEOUT, async (t) => {
  const warnings: string[] = []
  const logger = { warn: (message: string) => void warnings.push(message) }
  const syncUpdateRpc = async (): Promise<void> => {
    throw new Error('the callback is broken')
  }
  const { server, stub } = await setUp(t, { syncUpdateRpc, logger })
  const pull = await pulling(stub, livePull())
  const first = pull.next()
  ;(await server.posts.next()).response.end(Buffer.concat([framed(chunk(1)), framed(exit())]))
  await first
  await pull.next()
  await pull.next()
  const { socket } = await server.subscribers.next()
  socket.send(JSON.stringify(chunk(2)))

  await until(() => socket.readyState === socket.CLOSED)
  assert.match(warnings[0] ?? '', /gets no more updates/)
})
