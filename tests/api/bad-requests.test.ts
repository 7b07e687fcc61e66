import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { request as ask } from 'node:http'
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

const long = 'y'.repeat(20_000)
const guests = '/api/v1/guests HTTP/1.1\r\nHost: localhost\r\n'

// What node:http answers by itself is a status line and no more.
test.each([
  ['a head that is too long', `GET ${guests}X-Long: ${long}\r\n\r\n`, 431, 'too-large', '16384 bytes'],
  ['a line that is not a request', 'hello there\r\n\r\n', 400, 'bad-request', 'Parse Error'],
  [
    'two lengths',
    `GET ${guests}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
    400,
    'bad-request',
    'Parse Error',
  ],
  ['TLS on a plain port', Buffer.from('16030100a5010000a10303', 'hex'), 400, 'bad-request', 'http://'],
  [
    'a chunk of a body without its length',
    `POST ${guests}Authorization: Bearer x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    400,
    'bad-request',
    'Parse Error',
  ],
  ['a method of no standard', `BREW ${guests}\r\n`, 501, 'unsupported', 'method'],
  ['a tunnel', `CONNECT ${guests}\r\n`, 501, 'unsupported', 'CONNECT'],
  [
    'an expectation',
    `POST ${guests}Expect: tea\r\nContent-Length: 9\r\n\r\n`,
    417,
    'precondition-failed',
    'tea',
  ],
])(
  '%s is refused with a problem document, and the connection is closed',
  async (...[, bytes, status, error, words]) => {
    const { status: got, headers, body } = await exchange(portOf(app), bytes)
    expect([got, headers['content-type'], headers.connection]).toEqual([
      status,
      'application/problem+json',
      'close',
    ])
    const problem = JSON.parse(body.toString())
    expect(problem).toMatchObject({ status, error })
    expect(problem.detail).toContain(words)
    expect(body.length).toBeLessThan(500)
  },
)

test.each(['PATCH', 'PROPFIND', 'TRACE', 'OPTIONS'])(
  '%s on a path of the API names what is allowed',
  async (method) => {
    const { status, headers, body } = await exchange(
      portOf(app),
      `${method} ${guests}Connection: close\r\n\r\n`,
    )
    expect(status).toBe(405)
    expect(headers['content-type']).toContain('application/problem+json')
    expect(headers.allow?.split(', ')).toEqual(expect.arrayContaining(['GET', 'HEAD', 'POST']))
    expect(JSON.parse(body.toString())).toMatchObject({ status: 405, error: 'bad-request' })
  },
)

test('a client of HTTP/1.0 expects nothing, and one that waits for 100 Continue gets it', async () => {
  const old = await exchange(portOf(app), 'GET /api/v1/version HTTP/1.0\r\nExpect: tea\r\n\r\n')
  expect(old.status).not.toBe(417)
  const waiting = ask(`${base}/api/v1/guests`, {
    method: 'POST',
    headers: { Expect: '100-continue', 'Content-Length': 2 },
  })
  const answered = once(waiting, 'response')
  waiting.flushHeaders()
  await once(waiting, 'continue')
  waiting.end('{}')
  const [response] = await answered
  expect(response.resume().statusCode).toBe(401)
})

test('an expectation at a file is refused without a body', async () => {
  const { status, body } = await exchange(
    portOf(app),
    'GET /trees/x HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\n\r\n',
  )
  expect([status, body.length]).toEqual([417, 0])
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
