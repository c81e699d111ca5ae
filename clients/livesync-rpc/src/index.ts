export type { Chunk } from './messages.js'
export { RPC_PATH, type RpcStubOptions } from './options.js'
export { createRpcStub, RpcStub } from './stub.js'
