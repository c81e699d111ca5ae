import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'

import type { Chat } from 'chat'

import { fakePlatform, message } from '../bot.js'
import { needsServer } from './server.js'

/** The first program of the README, on a platform of ours, as a module that gives away its bot. */
async function botOfReadme(): Promise<Chat> {
  const readme = await readFile('README.md', 'utf8')
  const program = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? ''
  const onFakePlatform = program.replace(/import \{ createSlackAdapter \}.*\n/, '')
  const path = `test-build/readme-${process.pid}.mjs`
  await writeFile(
    path,
    `const { createSlackAdapter } = globalThis\n${onFakePlatform}\nexport { bot }\n`,
  )
  const { bot } = (await import(pathToFileURL(path).href)) as { bot: Chat }
  return bot
}

test('the bot of the README listens and answers', needsServer, async (t) => {
  const posts: string[] = []
  const platform = fakePlatform({
    name: 'slack',
    postMessage: async (threadId, text) => {
      posts.push(String(text))
      return { id: `${posts.length}`, threadId, raw: {} }
    },
  })
  Object.assign(globalThis, { createSlackAdapter: () => platform })
  const bot = await botOfReadme()
  await bot.initialize()
  t.after(() => bot.shutdown())
  const thread = `slack:C-${randomUUID()}:T1`

  await bot.processMessage(platform, thread, message('hello', thread))
  await bot.processMessage(platform, thread, message('still there?', thread))

  assert.deepEqual(posts, ['I am listening.', 'You said: still there?'])
})
