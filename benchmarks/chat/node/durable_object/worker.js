// The published Durable Object adapter with its options at their defaults, so on one object, behind
// POST / with {"method": ..., "arguments": [...]} and the answer {"value": ...}.
import { ChatStateDO, createCloudflareState } from 'chat-state-cloudflare-do'

export { ChatStateDO }

export default {
  async fetch(request, env) {
    const { method, arguments: values } = await request.json()
    const state = createCloudflareState({ namespace: env.CHAT_STATE })
    await state.connect()
    const value = await state[method](...values)
    return Response.json({ value: value ?? null })
  },
}
