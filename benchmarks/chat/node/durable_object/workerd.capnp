# How workerd runs the Durable Object adapter. The address and the storage directory come from the
# command line: --socket-addr http=HOST:PORT --directory-path storage=DIR
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "chat", worker = .chatWorker),
    (name = "storage", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "chat")],
);

const chatWorker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "../dist/worker.js")],
  compatibilityDate = "2025-10-01",
  bindings = [(name = "CHAT_STATE", durableObjectNamespace = "ChatStateDO")],
  durableObjectNamespaces = [
    (className = "ChatStateDO", uniqueKey = "chat-state", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "storage"),
);
