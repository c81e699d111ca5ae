# How workerd runs the worker. The address and the storage directory come from the
# command line: --socket-addr http=HOST:PORT --directory-path storage=DIR
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "sync", worker = .syncWorker),
    (name = "storage", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "sync")],
);

const syncWorker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "dist/worker.js")],
  compatibilityDate = "2024-12-01",
  compatibilityFlags = ["enable_request_signal"],
  bindings = [(name = "SYNC_BACKEND_DO", durableObjectNamespace = "SyncBackendDO")],
  durableObjectNamespaces = [
    (className = "SyncBackendDO", uniqueKey = "livestore-sync", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "storage"),
);
