// Bots written with Chat SDK (npm `chat`), driven by lines; see ../js/lines.mjs.
//
// One process holds any number of bots, each under the name its `open` gave it.
//
//   open         bot, state: {kind: "memory", name} or {kind: "remote", url, token}; optional
//                concurrency and onLockConflict as in ChatConfig ("forceful" there: force for
//                texts that begin with "force"), keepsHistory, keepsTranscripts, letsAbort,
//                lockTtlMs: locks last so long in place of 30 s, and are extended after a third;
//                rescues: stranded messages are handled, with state of kind "django"
//   deliver      bot, thread, messageId, text, user -> null when the bot is through with it
//   handling     bot, messageId -> null as soon as a handler has begun with that message
//   finish       bot, messageId -> lets that handler go on, which has "hold" in its text
//   abort        bot, thread -> the handlers of that thread stop, whichever bot they are of
//   posts        bot -> [{thread, text}]
//   runs         bot -> [{thread, id, texts, beganNs, endedNs}]: every handler's run, the skipped
//                messages' texts before its own, on the clock that all processes share
//   pause        bot, point -> the bot's state adapter stops, once, at that point: "before enqueue"
//                or "after dequeue"
//   paused       bot, point -> null as soon as it has stopped there
//   resume       bot, point -> lets it go on
//   state        bot, method, args -> what the bot's state adapter answers
//   close        bot
import { setTimeout as sleep } from 'node:timers/promises'

import { Chat } from 'chat'
import { Effect } from 'effect'

import { serve } from '../js/lines.mjs'
import { FakePlatform } from './fake_platform.mjs'
import { openState, pausing, rescue, withLocksOf } from './states.mjs'

const USUAL_LOCK_TTL_MS = 30_000
const BRIEFLY_MS = 3

const bots = new Map()

class Gate {
  opened = new Promise((resolve) => {
    this.open = resolve
  })
}

/** A gate for each message id; whoever comes first makes it. */
class Gates {
  #gates = new Map()

  of(id) {
    if (!this.#gates.has(id)) this.#gates.set(id, new Gate())
    return this.#gates.get(id)
  }
}

/** Where a state adapter is to stop. */
class Pauses {
  #pauses = new Map()

  /** Stop here if that was asked for; a pause is for one call. */
  async at(point) {
    const pause = this.#pauses.get(point)
    if (pause === undefined || pause.isUsed) return
    pause.isUsed = true
    pause.reached.open()
    await pause.resumed.opened
  }

  ask(point) {
    this.#pauses.set(point, { reached: new Gate(), resumed: new Gate(), isUsed: false })
  }

  reached(point) {
    return this.#pauses.get(point).reached.opened
  }

  resume(point) {
    this.#pauses.get(point).resumed.open()
  }
}

/** A Chat whose heartbeat beats as often as locks of `lockTtlMs` need it. */
class HurriedChat extends Chat {
  lockTtlMs = USUAL_LOCK_TTL_MS

  startLockHeartbeat(lock) {
    const { setInterval } = globalThis
    const pace = this.lockTtlMs / USUAL_LOCK_TTL_MS
    globalThis.setInterval = (beat, ms) => setInterval(beat, ms * pace)
    try {
      return super.startLockHeartbeat(lock)
    } finally {
      globalThis.setInterval = setInterval
    }
  }
}

/** What a handler says: the first word decides, and most say what they heard. */
const replies = {
  async count(bot, thread) {
    const { count = 0 } = (await thread.state) ?? {}
    await thread.setState({ count: count + 1 })
    return `count ${count + 1}`
  },
  async history(bot, thread) {
    const texts = []
    for await (const message of thread.allMessages) texts.push(message.text)
    return `history: ${texts.join(', ')}`
  },
  async who(bot, thread, message) {
    return `${message.author.fullName} at ${message.metadata.dateSent.getTime()}`
  },
  async remember(bot, thread, message) {
    await bot.chat.transcripts.append(thread, message)
    const said = { role: 'assistant', text: `noted ${message.text}` }
    await bot.chat.transcripts.append(thread, said, { userKey: message.userKey })
    return said.text
  },
  async recall(bot, thread, message) {
    const entries = await bot.chat.transcripts.list({ userKey: message.userKey })
    return `recalled: ${entries.map(({ role, text }) => `${role} ${text}`).join(', ')}`
  },
  async forget(bot, thread, message) {
    const { deleted } = await bot.chat.transcripts.delete({ userKey: message.userKey })
    return `forgot ${deleted}`
  },
  async fail() {
    throw new Error('the handler failed')
  },
  async bye(bot, thread) {
    await thread.unsubscribe()
    return 'bye'
  },
}

const run = async (bot, greeting, thread, message, context) => {
  const texts = [...(context?.skipped ?? []), message].map(({ text }) => text)
  const record = { thread: thread.id, id: message.id, texts, beganNs: nowNs(), endedNs: null }
  bot.runs.push(record)
  bot.begun.of(message.id).open()
  const words = message.text.split(' ')
  thread.signal.addEventListener('abort', bot.finished.of(message.id).open)
  if (words.includes('hold')) await bot.finished.of(message.id).opened
  if (words.includes('briefly')) await sleep(BRIEFLY_MS)
  const reply = await replies[words[0]]?.(bot, thread, message)
  const verb = thread.signal.aborted ? 'stopped' : greeting
  await thread.post(reply ?? `${verb} ${texts.join(' + ')}`)
  record.endedNs = nowNs()
}

const nowNs = () => Number(process.hrtime.bigint())

const conflicts = {
  forceful: (threadId, message) => (message.text.startsWith('force') ? 'force' : 'drop'),
}

const open = async ({ bot: name, state: spec, lockTtlMs, keepsHistory = false, letsAbort = false, ...options }) => {
  const platform = new FakePlatform({ keepsHistory, letsAbort })
  const pauses = new Pauses()
  const state = pausing(pauses, await openState(spec))
  const chat = new HurriedChat({
    userName: 'bot',
    adapters: { fake: platform },
    state: lockTtlMs === undefined ? state : withLocksOf(lockTtlMs, state),
    concurrency: options.concurrency,
    onLockConflict: conflicts[options.onLockConflict] ?? options.onLockConflict,
    logger: 'warn',
    ...(options.keepsTranscripts
      ? { transcripts: {}, identity: ({ author }) => author.userId }
      : {}),
  })
  chat.lockTtlMs = lockTtlMs ?? USUAL_LOCK_TTL_MS
  const bot = { chat, platform, state, pauses, runs: [], begun: new Gates(), finished: new Gates() }
  const handler = (greeting) => (thread, message, context) => run(bot, greeting, thread, message, context)
  chat.onNewMention(async (thread, message, context) => {
    await thread.subscribe()
    await run(bot, 'hello', thread, message, context)
  })
  chat.onSubscribedMessage(handler('heard'))
  chat.onNewMessage(/^!/, handler('command'))
  await chat.initialize()
  if (options.rescues) await rescue(chat)
  bots.set(name, bot)
}

const commands = {
  open,
  deliver: ({ bot, ...raw }) => {
    const { chat, platform } = bots.get(bot)
    return platform.receive(chat.webhooks.fake, raw)
  },
  handling: ({ bot, messageId }) => bots.get(bot).begun.of(messageId).opened,
  finish: async ({ bot, messageId }) => bots.get(bot).finished.of(messageId).open(),
  abort: ({ bot, thread }) => bots.get(bot).chat.abortTurn(thread),
  posts: async ({ bot }) => bots.get(bot).platform.posts,
  runs: async ({ bot }) => bots.get(bot).runs,
  pause: async ({ bot, point }) => bots.get(bot).pauses.ask(point),
  paused: ({ bot, point }) => bots.get(bot).pauses.reached(point),
  resume: async ({ bot, point }) => bots.get(bot).pauses.resume(point),
  state: ({ bot, method, args }) => bots.get(bot).state[method](...args),
  close: async ({ bot }) => {
    await bots.get(bot).chat.shutdown()
    bots.delete(bot)
  },
}

/** A command as an Effect; what it throws leaves by its name and message. */
const asEffect = (command) => (args) =>
  Effect.tryPromise({
    try: () => command(args),
    catch: (error) => ({ _tag: error.name, message: error.message, causeText: String(error.cause) }),
  })

serve(Object.fromEntries(Object.entries(commands).map(([op, command]) => [op, asEffect(command)])))
