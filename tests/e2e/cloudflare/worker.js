// The sync server as its authors publish it: every option at its default, storage in the
// Durable Object's own SQLite ("do-sqlite").
import { makeDurableObject, makeWorker } from '@livestore/sync-cf/cf-worker'

export class SyncBackendDO extends makeDurableObject() {}

export default makeWorker({ syncBackendBinding: 'SYNC_BACKEND_DO' })
