import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../server/app.ts'
import { makeToken } from '../support/api.ts'
import { httpOnly, portOf, testApp } from '../support/app.ts'
import { exchange } from '../support/http.ts'
import { keptFolder, writeBelow } from '../support/tree-folder.ts'

const home = keptFolder()
let app: App
let base: string
let authorization: string

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', httpOnly)
  app = testApp(home.path)
  await app.start()
  base = `http://127.0.0.1:${portOf(app)}`
  authorization = `Bearer ${await makeToken(app, 'operator')}`
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

test.each(['/api/v1/guests/%00', '/api/v1/guests/%zz', '/api/%'])(
  'the path %s is refused with a problem document',
  async (path) => {
    const { status, headers, body } = await exchange(
      portOf(app),
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    )
    expect([status, headers['content-type']]).toEqual([400, 'application/problem+json'])
    expect(JSON.parse(body.toString())).toMatchObject({ status: 400, error: 'bad-request' })
  },
)

test('a broken path of a file is refused without a body, as boot loaders have no use for one', async () => {
  const request = 'GET /trees/%zz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
  const { status, body } = await exchange(portOf(app), request)
  expect([status, body.length]).toEqual([400, 0])
})

async function makeGuest(name: string, body: Uint8Array, headers: Record<string, string> = {}) {
  const response = await fetch(`${base}/api/v1/guests`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json', ...headers },
    body: new Uint8Array(body),
  })
  const { detail } = (await response.json()) as { detail?: string }
  return { status: response.status, detail, isMade: existsSync(join(home.path, `guests.d/${name}.yaml`)) }
}

function newGuest(name: string, mac: string): string {
  return JSON.stringify({ name, definition: { mac, vars: { city: 'Köln' } } })
}

test('a body that is packed is refused, and says so', async () => {
  const packed = gzipSync(newGuest('packed', '52:54:00:aa:bb:01'))
  expect(await makeGuest('packed', packed, { 'content-encoding': 'gzip' })).toEqual({
    status: 415,
    detail: 'Content-Encoding: gzip: expected none',
    isMade: false,
  })
})

test('a body in another character set is refused, and no letter is lost', async () => {
  const latin1 = Buffer.from(newGuest('latin', '52:54:00:aa:bb:02'), 'latin1')
  expect(await makeGuest('latin', latin1)).toEqual({
    status: 400,
    detail: 'the body is not UTF-8',
    isMade: false,
  })
  const utf8 = Buffer.from(newGuest('plain', '52:54:00:aa:bb:03'))
  expect(await makeGuest('plain', utf8, { 'content-encoding': 'identity' })).toMatchObject({
    status: 201,
    isMade: true,
  })
})
