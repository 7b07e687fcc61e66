import { connect } from 'node:net'
import request from 'supertest'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { whyCrossSite } from '../../server/api/cross-site.ts'
import { routes } from '../../server/api/routes.ts'
import type { App } from '../../server/app.ts'
import { makeToken } from '../support/api.ts'
import { httpOnly, portOf, testApp } from '../support/app.ts'
import { keptFolder, writeBelow } from '../support/tree-folder.ts'

const config = `${httpOnly}
guests:
  web01: { mac: "52:54:00:aa:bb:01" }
`
const home = keptFolder()
let app: App
let port: number
let base: string
let token: string

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', config)
  app = testApp(home.path)
  await app.start()
  port = portOf(app)
  base = `http://127.0.0.1:${port}`
  token = await makeToken(app, 'operator')
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

const changing = routes.filter(({ method }) => !['GET', 'HEAD', 'OPTIONS'].includes(method))
/** A path of the row: each parameter gets a value. */
const pathOf = (path: string): string =>
  path
    .replaceAll(/[{}]/g, '')
    .replace(':name', 'web01')
    .replace(':report', 'installed')
    .replace(':length', '3')
    .replaceAll(/[:*]\w+/g, 'x')

describe.each([
  ['another site', { 'Sec-Fetch-Site': 'cross-site', Origin: 'http://evil.example' }],
  ['another port of this host', { 'Sec-Fetch-Site': 'same-site', Origin: 'http://127.0.0.1:1' }],
  ['another site, by a browser without fetch metadata', { Origin: 'http://evil.example' }],
  ['a sandboxed page', { Origin: 'null' }],
])('a request of a page of %s', (_, headers) => {
  test.each(changing.map(({ method, path }) => [method, pathOf(path)]))(
    '%s %s: 403',
    async (method, path) => {
      const verb = method.toLowerCase() as 'post' | 'put' | 'patch' | 'delete'
      const { body } = await request(base)[verb](path).set(headers).auth('admin', token).send('x').expect(403)
      expect(body).toMatchObject({ error: 'forbidden', message: expect.stringMatching(/another site/) })
    },
  )

  test('changes nothing, although it has the rights', async () => {
    await request(base).post('/api/v1/guests/web01/installed').set(headers).expect(403)
    await request(base).put('/api/v1/uploads/evil').set(headers).auth('admin', token).send('x').expect(403)
    expect((await request(base).get('/api/v1/guests/web01')).body.state).toBe('install')
    expect((await request(base).get('/api/v1/uploads').auth('admin', token)).body.items).toEqual([])
  })

  test('may look', async () => {
    await request(base).get('/api/v1/trees').set(headers).expect(200)
  })
})

test('programs and own pages change things as before', async () => {
  const order = (headers: Readonly<Record<string, string>>) =>
    request(base).post('/api/v1/guests/web01/local').set(headers).auth('admin', token)
  await order({}).expect(200)
  await order({ Origin: base }).expect(200)
  await order({ 'Sec-Fetch-Site': 'same-origin', Origin: base }).expect(200)
  await order({ 'Sec-Fetch-Site': 'none' }).expect(200)
})

test.each([
  [
    'the default port is the same written or not',
    'http://mirror.example',
    'mirror.example:80',
    undefined,
    true,
  ],
  ['upper case', 'http://mirror.example', 'MIRROR.example', undefined, true],
  ['a proxy that ends TLS', 'https://mirror.example', 'mirror.example', undefined, true],
  ['a proxy that changes Host', 'https://mirror.example', '127.0.0.1:8080', 'https://mirror.example', true],
  ['another port', 'http://mirror.example:8081', 'mirror.example:8080', undefined, false],
  ['a longer name', 'http://mirror.example.evil', 'mirror.example', undefined, false],
  ['no Host', 'http://mirror.example', '', undefined, false],
  ['a Host with a path', 'http://evil.example', 'evil.example/x', undefined, true],
])('%s', (...row) => {
  const [, origin, host, ownUrl, allowed] = row
  expect(whyCrossSite('POST', { origin, host }, ownUrl) === undefined).toBe(allowed)
})

/** Sends a head and then zeros until the server closes; resolves to the response and the bytes that it took. */
async function pour(head: string): Promise<{ response: string; sent: number }> {
  const socket = connect(port, '127.0.0.1')
  let response = ''
  socket.on('data', (chunk) => {
    response += chunk
  })
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(head)
  const piece = Buffer.alloc(64 * 1024)
  let sent = 0
  while (!socket.destroyed && socket.writable && sent < pouredBytes) {
    const more = socket.write(piece)
    sent += piece.length
    if (!more) await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed])
  }
  socket.destroy()
  return { response, sent }
}
const pouredBytes = 200 * 2 ** 20

test.each([
  ['without the token', 'POST /api/v1/guests/web01/local', 401],
  ['of an upload without the token', 'PUT /api/v1/uploads/x', 401],
  ['of a report that is too long', 'POST /api/v1/guests/web01/progress', 413],
  ['to a path that is not there', 'POST /api/v1/none', 404],
  ['to a file', 'POST /trees/', 405],
])('the body of a request %s is not read to its end', async (_, line, status) => {
  const { response, sent } = await pour(
    `${line} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${pouredBytes}\r\n\r\n`,
  )
  // The buffers of two sockets are on the way.
  expect(sent).toBeLessThan(32 * 2 ** 20)
  if (response !== '') expect(response).toContain(`HTTP/1.1 ${status} `)
})

test('a body in chunks is not read to its end either', async () => {
  const { sent } = await pour(
    'POST /api/v1/guests/web01/progress HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
      'Transfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n',
  )
  expect(sent).toBeLessThan(32 * 2 ** 20)
})

test('a connection stays open after a refused request with a short body', async () => {
  const { status, headers } = await fetch(`${base}/api/v1/guests/web01/local`, { method: 'POST', body: 'x' })
  expect([status, headers.get('connection')]).toEqual([401, 'keep-alive'])
})
