// The sync server as its authors publish it, every other option at its default: storage in the
// Durable Object's own SQLite ("do-sqlite"), or in D1. Which of the two, workerd's configuration says.
import { makeDurableObject, makeWorker } from '@livestore/sync-cf/cf-worker'

export class SyncBackendDO extends makeDurableObject() {}

export class SyncBackendInD1 extends makeDurableObject({ storage: { _tag: 'd1', binding: 'DB' } }) {}

export default makeWorker({ syncBackendBinding: 'SYNC_BACKEND_DO' })
