// Lets Node import what imports `cloudflare:workers`, such as chat-state-cloudflare-do:
//
//   node --import chat-state-django/cloudflare-workers bot.js
import { register } from 'node:module'

register('./hooks.js', import.meta.url)
