// Runs in Node's loader thread: `cloudflare:workers` is the module next to this one.
import type { ResolveHook } from 'node:module'

const WORKERS = new URL('./workers.js', import.meta.url).href

export const resolve: ResolveHook = (specifier, context, nextResolve) =>
  specifier === 'cloudflare:workers'
    ? { url: WORKERS, shortCircuit: true }
    : nextResolve(specifier, context)
