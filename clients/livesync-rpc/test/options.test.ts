import assert from 'node:assert/strict'
import { test } from 'node:test'

import { serverOf } from '../src/options.js'

test('the path of RPC is put behind a URL unless it is there', () => {
  for (const url of ['http://a.b:1', 'ws://a.b:1/', 'http://a.b:1/api/sync/v1/rpc/']) {
    const server = serverOf({ url, storeId: 'a b/c' })

    const place = '://a.b:1/api/sync/v1/rpc?storeId=a%20b%2Fc'
    assert.equal(server.httpUrl, `http${place}&transport=http`)
    assert.equal(server.socketUrl, `ws${place}&transport=ws`)
  }
  assert.match(serverOf({ url: 'https://a.b/x', storeId: 's' }).socketUrl, /^wss:\/\/a\.b\/x\/api\//)
})

test('a payload is encoded twice', () => {
  const { httpUrl } = serverOf({ url: 'http://a.b', storeId: 's', payload: { authToken: '%' } })

  assert.ok(httpUrl.includes('&payload=%257B%2522authToken%2522%253A%2522%2525%2522%257D&'))
})

test('what is no URL of a server is refused', () => {
  assert.throws(() => serverOf({ url: 'ftp://a.b', storeId: 's' }), /must begin with http/)
})
