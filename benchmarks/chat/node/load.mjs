// One run of the load generator: a plan comes as JSON in the first argument, the figures go as one
// JSON object to stdout. Any wrong answer ends the run with exit code 1.
//
//   {"target": {"adapter": "redis", ...}, "load": "mix", "mix": "light", "concurrency": [1, 16],
//    "seconds": 2, "warmUpS": 1, "settleS": 1}
import { openAdapter } from './adapters.mjs'
import { contend } from './contention.mjs'
import { settle } from './loop.mjs'
import { measureMethods } from './methods.mjs'
import { measureMix } from './mixes.mjs'

const LOADS = { contention: contend, methods: measureMethods, mix: measureMix }

const plan = JSON.parse(process.argv[2])
const state = await openAdapter(plan.target)
if (plan.settleS > 0) await settle(state, plan.settleS)
const figures = await LOADS[plan.load](state, plan)
await state.disconnect()
process.stdout.write(`${JSON.stringify(figures)}\n`)
