// Commands come in and answers go out, one JSON object a line.
//
//   in    {"id": 3, "op": "push", ...arguments}
//         {"id": 4, "op": "stop", "target": 3}       interrupts command 3, which then answers
//   out   {"id": 3, "item": ...}                     none or more, while the command runs
//         {"id": 3, "ok": ...}                       the last line of a command: its value,
//         {"id": 3, "error": {"_tag": ..., ...}}     or why it has none
//
// Commands run concurrently and begin in order of arrival. The end of stdin ends the process.
import { createInterface } from 'node:readline'

import { Cause, Effect, Exit, Fiber, Option } from 'effect'

// stdout holds answers only: whatever the packages log goes to stderr
const writeLine = process.stdout.write.bind(process.stdout)
process.stdout.write = process.stderr.write.bind(process.stderr)

const answer = (line) => writeLine(`${JSON.stringify(line)}\n`)

/** A value as JSON can hold it: an Option is its value or null, an error its name and message. */
const plain = (value) => {
  if (Option.isOption(value)) return Option.match(value, { onNone: () => null, onSome: plain })
  if (!(value instanceof Error)) return value ?? null
  const { _tag, name, message } = value
  return { _tag, name, message, ...causeOf(value) }
}

/** A tagged error with all its fields; `cause` is one that no enumeration shows. */
const tagged = (error) => ({
  ...Object.fromEntries(Object.entries(error).map(([name, value]) => [name, plain(value)])),
  ...causeOf(error),
})

const causeOf = ({ cause }) => (cause === undefined ? {} : { cause: plain(cause) })

/** A typed failure as it is; a defect under `Defect`; an interruption under `Interrupted`. */
export const describe = (cause) => {
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) return tagged(failure.value)
  if (Cause.isInterruptedOnly(cause)) return { _tag: 'Interrupted' }
  return { _tag: 'Defect', defect: plain(Cause.squash(cause)) }
}

const outcome = Exit.match({
  onSuccess: (value) => ({ ok: plain(value) }),
  onFailure: (cause) => ({ error: describe(cause) }),
})

/**
 * Runs every command that arrives on stdin.
 *
 * `commands` maps an op to `(args, emit) => Effect`; what `emit` is given leaves as an item.
 */
export const serve = (commands) => {
  const running = new Map()

  const stop = ({ target }) => {
    const fiber = running.get(target)
    return fiber === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(fiber))
  }

  const run = ({ id, op, ...args }) => {
    const command = { ...commands, stop }[op]
    const fiber = Effect.runFork(Effect.suspend(() => command(args, (item) => answer({ id, item }))))
    running.set(id, fiber)
    fiber.addObserver((exit) => {
      running.delete(id)
      answer({ id, ...outcome(exit) })
    })
  }

  createInterface({ input: process.stdin })
    .on('line', (line) => run(JSON.parse(line)))
    .on('close', () => process.exit(0))
}
