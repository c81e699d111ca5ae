// An app with a full LiveStore store (leader in this process), driven by lines; see lines.mjs.
//
// One store at a time: a store's shutdown signal reaches every store of its id in a process.
// After it ended, by `shutdown` or by itself, `open` may make the next.
//
//   open          url, storeId, transport, clientId; optional payload, directory (on disk; else in
//                 memory), onSyncError, onBackendIdMismatch, livePull, pollIntervalMs, pingIntervalMs
//   commit        events: [{name, args}], in one commit; names and args: see `events`
//   query         -> the notes by id, [{id, text}]
//   waitRows      count -> the notes, once there are that many or more
//   waitSynced    -> the status, once the backend has confirmed every event committed so far
//   status        -> {session, leader, isConnected}; both sides {localHead, upstreamHead, pending}
//   waitShutdown  -> why the store ended: an error that asks for it, or the error that forced it
//   shutdown
import { makeAdapter } from '@livestore/adapter-node'
import {
  createStorePromise,
  Events,
  makeSchema,
  makeShutdownDeferred,
  Schema,
  State,
  StoreInternalsSymbol,
} from '@livestore/livestore'
import { makeDoRpcSync, makeHttpSync, makeWsSync } from '@livestore/sync-cf/client'
import { Cause, Deferred, Effect, Exit, LogLevel, Option, Runtime, Stream } from 'effect'
import { createRpcStub } from 'livesync-rpc'

import { describe, serve } from './lines.mjs'

const notes = State.SQLite.table({
  name: 'notes',
  columns: {
    id: State.SQLite.text({ primaryKey: true }),
    text: State.SQLite.text(),
  },
})

const events = {
  noteCreated: Events.synced({
    name: 'v1.NoteCreated',
    schema: Schema.Struct({ id: Schema.String, text: Schema.String }),
  }),
  noteEdited: Events.synced({
    name: 'v1.NoteEdited',
    schema: Schema.Struct({ id: Schema.String, text: Schema.String }),
  }),
  noteDeleted: Events.synced({
    name: 'v1.NoteDeleted',
    schema: Schema.Struct({ id: Schema.String }),
  }),
}

// A note that is already there stays: when two apps commit without a pause, LiveStore 0.4.0 sometimes
// rebases an event twice and pushes both (seen with the reference server).
const materializers = State.SQLite.materializers(events, {
  'v1.NoteCreated': ({ id, text }) => notes.insert({ id, text }).onConflict('id', 'ignore'),
  'v1.NoteEdited': ({ id, text }) => notes.update({ text }).where({ id }),
  'v1.NoteDeleted': ({ id }) => notes.delete().where({ id }),
})

const schema = makeSchema({ events, state: State.SQLite.makeState({ tables: { notes }, materializers }) })

const allNotes = notes.orderBy('id', 'asc')

let app

const backend = ({ transport, url, pollIntervalMs, pingIntervalMs, ...store }) => {
  if (transport === 'rpc') {
    const syncBackendStub = createRpcStub({ url, storeId: store.storeId, payload: store.payload })
    const durableObjectContext = { bindingName: 'CLIENT', durableObjectId: store.clientId }
    return makeDoRpcSync({ syncBackendStub, durableObjectContext })
  }
  const ping = { requestInterval: pingIntervalMs }
  if (transport === 'ws') return makeWsSync({ url, ping })
  return makeHttpSync({ url, ping, livePull: { pollInterval: pollIntervalMs } })
}

const open = ({ storeId, clientId, payload, directory, ...options }) =>
  Effect.gen(function* () {
    const { onSyncError, onBackendIdMismatch, livePull } = options
    const ended = yield* makeShutdownDeferred
    const adapter = makeAdapter({
      storage: directory === undefined ? { type: 'in-memory' } : { type: 'fs', baseDirectory: directory },
      clientId,
      sync: { backend: backend({ storeId, clientId, payload, ...options }), onSyncError, onBackendIdMismatch, livePull },
    })
    const store = yield* Effect.tryPromise({
      try: () =>
        createStorePromise({
          schema,
          adapter,
          storeId,
          syncPayload: payload,
          shutdownDeferred: ended,
          disableDevtools: true,
          logLevel: LogLevel.Warning,
        }),
      catch: (failure) => Cause.squash(failure[Runtime.FiberFailureCauseId]),
    })
    app = { store, ended }
  })

/** Waiting ends with the store: what waits for rows or an ack fails with why the store ended. */
const whileOpen = (effect) =>
  Effect.raceFirst(effect, Effect.zipRight(Deferred.await(app.ended), Effect.die('the store was shut down')))

const whyEnded = Exit.match({ onSuccess: (cause) => describe(Cause.fail(cause)), onFailure: describe })

const waitRows = ({ count }) =>
  Effect.async((resume) => {
    const unsubscribe = app.store.subscribe(allNotes, (rows) => {
      if (rows.length >= count) resume(Effect.succeed(rows))
    })
    return Effect.sync(unsubscribe)
  })

/** The session hands its events to the leader, the leader to the backend: both have a sync state. */
const syncStates = () => {
  const { syncProcessor, clientSession } = app.store[StoreInternalsSymbol]
  return { session: syncProcessor.syncState, leader: clientSession.leaderThread.syncState }
}

const status = () =>
  Effect.gen(function* () {
    const { session, leader } = yield* Effect.all(syncStates())
    const { isConnected } = yield* app.store.networkStatus
    const side = ({ localHead, upstreamHead, pending }) => ({
      localHead: localHead.global,
      upstreamHead: upstreamHead.global,
      pending: pending.length,
    })
    return { session: side(session), leader: side(leader), isConnected }
  })

const waitUntil = (holds) => {
  const { session, leader } = syncStates()
  return Stream.mergeAll([Stream.void, session.changes, leader.changes], { concurrency: 'unbounded' }).pipe(
    Stream.mapEffect(status),
    Stream.filter(holds),
    Stream.runHead,
    Effect.map(Option.getOrThrow),
  )
}

const isKept = ({ session }) => session.pending === 0
const isSynced = ({ session, leader }) => session.pending === 0 && leader.pending === 0

serve({
  open,
  commit: ({ events: batch }) =>
    Effect.sync(() => app.store.commit(...batch.map(({ name, args }) => events[name](args)))),
  query: () => Effect.sync(() => app.store.query(allNotes)),
  waitRows: (args) => whileOpen(waitRows(args)),
  waitKept: () => whileOpen(waitUntil(isKept)),
  waitSynced: () => whileOpen(waitUntil(isSynced)),
  status,
  waitShutdown: () => Effect.map(Effect.exit(Deferred.await(app.ended)), whyEnded),
  shutdown: () => Effect.promise(() => app.store.shutdownPromise()),
})
