# The worker with its events in D1. D1 is what miniflare makes of it: its own workers, put together as
# it does itself, without the Node process around them. Started as workerd.capnp, with --experimental.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "sync", worker = .syncWorker),
    (name = "d1:db", worker = .databaseEntry),
    (name = "d1:objects", worker = .databaseObjects),
    (name = "storage", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "sync")],
  extensions = [
    (modules = [
      (
        name = "miniflare:shared",
        esModule = embed "node_modules/miniflare/dist/src/workers/shared/index.worker.js",
      ),
      (
        name = "miniflare:zod",
        esModule = embed "node_modules/miniflare/dist/src/workers/shared/zod.worker.js",
      ),
    ]),
  ],
);

const syncWorker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "dist/worker.js")],
  compatibilityDate = "2024-12-01",
  compatibilityFlags = ["enable_request_signal"],
  bindings = [
    (name = "SYNC_BACKEND_DO", durableObjectNamespace = "SyncBackendInD1"),
    (
      name = "DB",
      wrapped = (
        moduleName = "cloudflare-internal:d1-api",
        innerBindings = [(name = "fetcher", service = "d1:db")],
      ),
    ),
  ],
  durableObjectNamespaces = [
    (className = "SyncBackendInD1", uniqueKey = "livestore-sync", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "storage"),
);

const databaseEntry :Workerd.Worker = (
  modules = [
    (
      name = "object-entry.worker.js",
      esModule = embed "node_modules/miniflare/dist/src/workers/shared/object-entry.worker.js",
    ),
  ],
  compatibilityDate = "2023-07-24",
  bindings = [
    (name = "MINIFLARE_NAMESPACE", text = "livestore-sync"),
    (
      name = "MINIFLARE_OBJECT",
      durableObjectNamespace = (className = "D1DatabaseObject", serviceName = "d1:objects"),
    ),
  ],
);

const databaseObjects :Workerd.Worker = (
  modules = [
    (
      name = "database.worker.js",
      esModule = embed "node_modules/miniflare/dist/src/workers/d1/database.worker.js",
    ),
  ],
  compatibilityDate = "2023-07-24",
  compatibilityFlags = ["nodejs_compat", "experimental"],
  bindings = [(name = "MINIFLARE_BLOBS", service = "storage")],
  durableObjectNamespaces = [
    (className = "D1DatabaseObject", uniqueKey = "miniflare-D1DatabaseObject"),
  ],
  durableObjectStorage = (localDisk = "storage"),
);
