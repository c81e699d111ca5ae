// The real sync backend client (`makeWsSync`, `makeHttpSync`, `makeDoRpcSync` on our stub) driven by
// lines; see lines.mjs.
//
// One process holds any number of clients, each under the name its `connect` gave it. An event is
// an object as on the wire: name, args, seqNum, parentSeqNum, clientId, sessionId.
//
//   connect         client, url, storeId, transport; optional payload, clientId, backendId, headers,
//                   pollIntervalMs, pingIntervalMs, pingTimeoutMs, callback. Does not wait for the
//                   server. By RPC, updates come to the client's callback if there is to be one.
//   waitConnected   client, connected -> when isConnected has that value
//   watchConnected  client -> an item, true or false, now and at each change, until stopped
//   ping            client -> isConnected after the ping
//   push            client, events
//   pull            client, cursor (number or null), live, resume -> an item for each page:
//                   {batch: [{event, createdAt}], pageInfo}. A live pull goes on until it is stopped
//                   or fails; with resume it begins again after IsOfflineError, behind the last
//                   event it saw, as LiveStore's leader does.
//   backendId       client -> what the client's key-value store holds, or null
//   disconnect      client
import { FetchHttpClient, KeyValueStore } from '@effect/platform'
import { Effect, Exit, Option, Scope, Stream, SubscriptionRef } from 'effect'
import {
  handleSyncUpdateRpc,
  makeDoRpcSync,
  makeHttpSync,
  makeWsSync,
} from '@livestore/sync-cf/client'
import { createRpcStub } from 'livesync-rpc'

import { serve } from './lines.mjs'

const clients = new Map()

const find = (name) =>
  Option.getOrThrowWith(Option.fromNullable(clients.get(name)), () => new Error(`no client ${name}`))

/** The client keeps the backend id under one key, as the leader keeps it in its eventlog database. */
const keyValueStore = (values) =>
  KeyValueStore.makeStringOnly({
    get: (key) => Effect.sync(() => Option.fromNullable(values.get(key))),
    set: (key, value) => Effect.sync(() => values.set(key, value)),
    remove: (key) => Effect.sync(() => values.delete(key)),
    clear: Effect.sync(() => values.clear()),
    size: Effect.sync(() => values.size),
  })

/** The headers of a client's handshakes: a page cannot set any, but its browser does. */
const handshakeHeaders = new Map()
const handshakeKey = (url, storeId) => `${url} ${storeId}`

globalThis.WebSocket = class extends WebSocket {
  constructor(address, protocols) {
    const [url, query] = address.split('?')
    const storeId = new URLSearchParams(query).get('storeId')
    super(address, { protocols, headers: handshakeHeaders.get(handshakeKey(url, storeId)) })
  }
}

const rpcConstructor = ({ client, url, headers, callback }, { storeId, payload }) => {
  const syncUpdateRpc = callback ? (update) => handleSyncUpdateRpc(update) : undefined
  const syncBackendStub = createRpcStub({ url, storeId, payload, headers, syncUpdateRpc })
  const durableObjectContext = { bindingName: 'CLIENT', durableObjectId: client }
  return makeDoRpcSync({ syncBackendStub, durableObjectContext })
}

const constructor = ({ transport, url, headers, pollIntervalMs, pingIntervalMs, pingTimeoutMs }) => {
  const ping = { requestInterval: pingIntervalMs, requestTimeout: pingTimeoutMs }
  if (transport === 'ws') return makeWsSync({ url, ping })
  return makeHttpSync({ url, headers, ping, livePull: { pollInterval: pollIntervalMs } })
}

const connect = ({ client, storeId, payload, clientId = client, backendId, ...options }) =>
  Effect.gen(function* () {
    const make =
      options.transport === 'rpc'
        ? rpcConstructor({ client, ...options }, { storeId, payload })
        : constructor(options)
    if (options.transport === 'ws' && options.headers !== undefined) {
      handshakeHeaders.set(handshakeKey(options.url, storeId), options.headers)
    }
    const values = new Map(backendId === undefined ? [] : [['backendId', backendId]])
    const scope = yield* Scope.make()
    const backend = yield* make({ storeId, clientId, payload }).pipe(
      Scope.extend(scope),
      Effect.provideService(KeyValueStore.KeyValueStore, keyValueStore(values)),
      Effect.provide(FetchHttpClient.layer),
    )
    clients.set(client, { backend, scope, values })
  })

const disconnect = ({ client }) =>
  Effect.suspend(() => {
    const { scope } = find(client)
    clients.delete(client)
    return Scope.close(scope, Exit.void)
  })

const waitConnected = ({ client, connected }) =>
  find(client).backend.isConnected.changes.pipe(
    Stream.filter((isConnected) => isConnected === connected),
    Stream.runHead,
    Effect.asVoid,
  )

const watchConnected = ({ client }, emit) =>
  find(client).backend.isConnected.changes.pipe(
    Stream.changes, // it is set again with every frame
    Stream.runForEach((isConnected) => Effect.sync(() => emit(isConnected))),
  )

const ping = ({ client }) => {
  const { backend } = find(client)
  return backend.ping.pipe(Effect.zipRight(SubscriptionRef.get(backend.isConnected)))
}

const page = ({ batch, pageInfo }) => ({
  batch: batch.map(({ eventEncoded, metadata }) => ({
    event: eventEncoded,
    createdAt: Option.match(metadata, { onNone: () => null, onSome: ({ createdAt }) => createdAt }),
  })),
  pageInfo,
})

const pull = ({ client, cursor, live, resume }, emit) => {
  const { backend } = find(client)
  let last = cursor
  const take = (item) => {
    last = item.batch.at(-1)?.eventEncoded.seqNum ?? last
    emit(page(item))
  }
  const from = (seqNum) =>
    Option.map(Option.fromNullable(seqNum), (eventSequenceNumber) => ({
      eventSequenceNumber,
      metadata: Option.none(),
    }))

  return Stream.suspend(() => backend.pull(from(last), { live })).pipe(
    Stream.runForEach((item) => Effect.sync(() => take(item))),
    Effect.retry({ while: (error) => resume === true && error._tag === 'IsOfflineError' }),
  )
}

serve({
  connect,
  disconnect,
  waitConnected,
  watchConnected,
  ping,
  pull,
  push: ({ client, events }) => find(client).backend.push(events),
  backendId: ({ client }) => Effect.succeed(find(client).values.get('backendId') ?? null),
})
