import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { ApiClient } from '../../../server/cli/remote/client.ts'
import { serverUrl } from '../../../server/cli/remote/server-url.ts'
import { Failure } from '../../../server/core/failure.ts'
import { makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { keptFolder, writeBelow } from '../../support/tree-folder.ts'

const home = keptFolder()
let app: App
let client: ApiClient
let url = ''

beforeAll(async () => {
  const guests = Array.from({ length: 1100 }, (_, n) => `  g${n}: {}\n`)
  writeBelow(home.path, 'config.yaml', `${httpOnly}guests:\n${guests.join('')}`)
  app = testApp(home.path)
  await app.start()
  url = `http://127.0.0.1:${portOf(app)}`
  client = new ApiClient({ url, credentials: { token: await makeToken(app, 'admin'), from: 'a test' } })
}, 20_000)
afterAll(async () => {
  await app.stop()
  home.remove()
})

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

/** The URL of a server of another kind. */
async function serving(handle: RequestListener): Promise<string> {
  const server = createServer(handle).listen(0, '127.0.0.1')
  servers.push(server)
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function failure(asked: Promise<unknown>): Promise<Failure> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(Failure)
  return error as Failure
}

const versionOf = (base: string): Promise<unknown> => new ApiClient({ url: base }).call('getVersion', {})

test('a list of more than one page comes whole, and in its order', async () => {
  const names = (await client.all('listGuests', { query: { sort: '-name' } })).map(({ name }) => name)
  expect(names).toHaveLength(1100)
  expect(names).toEqual([...names].sort().reverse())
})

test('a definition is made, read with its tag, changed and removed', async () => {
  const made = await client.call('createGuest', {
    body: { name: 'new1', definition: { serial: 'X1' }, firstBoot: 'local' },
  })
  expect(made).toMatchObject({ where: 'guests.d/new1.yaml', changed: true })
  const params = { name: 'new1' }
  const { etag, data } = await client.call('getGuestDefinition', { params })
  expect(data).toEqual({ serial: 'X1' })
  const change = { params, body: { ip: '192.0.2.7' } }
  expect((await failure(client.call('patchGuestDefinition', change))).kind).toBe('precondition-required')
  await client.call('patchGuestDefinition', { ...change, ifMatch: etag ?? '' })
  expect((await failure(client.call('deleteGuest', { params, ifMatch: etag ?? '' }))).kind).toBe('conflict')
  expect(await client.call('deleteGuest', { params, ifMatch: '*' })).toMatchObject({ etag: null })
})

test('a failure has the kind, the words and the details of the problem document', async () => {
  const { kind, message, details } = await failure(
    client.call('createToken', { body: { name: 'x', role: 'viewer', expires: 'tomorrow' } }),
  )
  expect(kind).toBe('bad-request')
  expect(message).toContain('expires')
  expect(details).toEqual([expect.objectContaining({ field: 'body.expires', found: 'tomorrow' })])
})

test('a token that is none is named by where it was found', async () => {
  const other = new ApiClient({ url, credentials: { token: 'nonsense', from: 'TREEBOOT_TOKEN' } })
  const { kind, message } = await failure(other.call('listAccounts', {}))
  expect(kind).toBe('unauthenticated')
  expect(message).toMatch(/not known here.*the token of TREEBOOT_TOKEN: "treeboot login http:.*" makes one/)
  const none = await failure(new ApiClient({ url }).call('listAccounts', {}))
  expect(none.message).toMatch(/for the command line, "treeboot login http:.*" makes one/)
})

test('names are one segment, ids of trees are several, and neither leaves its place', async () => {
  expect((await failure(client.call('getGuest', { params: { name: 'a b/c?d' } }))).message).toContain(
    'a b/c?d',
  )
  expect((await failure(client.call('getTree', { params: { id: 'a/b' } }))).message).toContain('no tree a/b')
  for (const id of ['../guests', 'a//b', '', '.'])
    expect((await failure(client.call('getTree', { params: { id } }))).kind).toBe('bad-request')
})

describe('a server that is not treeboot', () => {
  test.each<[string, RequestListener]>([
    ['a page', (_, res) => res.setHeader('content-type', 'text/html').end('<h1>It works!</h1>')],
    ['a page that is not there', (_, res) => res.writeHead(404).end('nothing')],
    ['JSON of another kind', (_, res) => res.setHeader('content-type', 'application/json').end('{"a":1}')],
    [
      'a problem of another form',
      (_, res) => res.writeHead(400, { 'content-type': 'application/problem+json' }).end('{"title":"no"}'),
    ],
    ['a success of another kind', (_, res) => res.writeHead(204).end()],
  ])('that answers with %s is called that', async (_, handle) => {
    const base = await serving(handle)
    const { kind, message } = await failure(versionOf(base))
    expect(kind).toBe('bad-request')
    expect(message).toMatch(/^http:.* does not answer as treeboot does \(status \d+, .*expected the URL/)
  })

  test('a token is not sent where it redirects', async () => {
    const seen: (string | undefined)[] = []
    const other = await serving((req, res) => {
      seen.push(req.headers.authorization)
      res.end()
    })
    const base = await serving((_, res) => res.writeHead(302, { location: `${other}/x` }).end())
    const { message } = await failure(
      new ApiClient({ url: base, credentials: { token: 'secret', from: 'a test' } }).call('getVersion', {}),
    )
    expect(message).toContain(`sends its clients to ${other}/x`)
    expect(seen).toEqual([])
  })

  test('pages without end come to an end', async () => {
    let pages = 0
    const base = await serving((_, res) => {
      pages++
      res.setHeader('content-type', 'application/json').end('{"items":[],"total":0,"next":"1"}')
    })
    expect((await failure(new ApiClient({ url: base }).all('listAudit', {}))).message).toContain(
      'without end',
    )
    expect(pages).toBe(1000)
  }, 60_000)

  test('a response of more than 64 MiB is not read to its end', async () => {
    let sent = 0
    const piece = Buffer.alloc(1 << 20, ' ')
    const base = await serving((_, res) => {
      res.setHeader('content-type', 'application/json')
      const more = (): void => {
        while (sent < 1000 && !res.destroyed) {
          sent++
          if (!res.write(piece)) return void res.once('drain', more)
        }
      }
      more()
    })
    expect((await failure(versionOf(base))).kind).toBe('too-large')
    expect(sent).toBeLessThan(200)
  }, 60_000)
})

describe('a server that cannot be asked', () => {
  test('because nothing listens there', async () => {
    const base = await serving(() => undefined)
    await new Promise((resolve) => servers.pop()?.close(resolve))
    const { kind, message } = await failure(versionOf(base))
    expect([kind, message]).toEqual([
      'unavailable',
      `${base} cannot be asked: nothing listens there; is the server running, and is the port right?`,
    ])
  })

  test('because it speaks no HTTP', async () => {
    const server = createTcpServer((socket) => socket.end('220 ready\r\n')).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { message } = await failure(versionOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
    expect(message).toMatch(/cannot be asked: it does not speak HTTP/)
    server.close()
  })

  test('because TLS is asked of plain HTTP', async () => {
    const base = (await serving(() => undefined)).replace('http:', 'https:')
    expect((await failure(versionOf(base))).message).toMatch(/it does not speak TLS; use http:/)
  })
})

test.each([
  ['http://mirror:8080/', 'http://mirror:8080'],
  ['HTTPS://Mirror.example', 'https://mirror.example'],
  ['http://[2001:db8::1]:8080', 'http://[2001:db8::1]:8080'],
  ['http://mirror/boot/', 'http://mirror/boot'],
])('the URL of a server %s is used as %s', (given, used) => {
  expect(serverUrl(given)).toBe(used)
})

test.each(['mirror:8080', 'ftp://mirror', 'http://', '', 'http://anna:pw@mirror', 'http://mirror/?a'])(
  '%j is no URL of a server, and a password in it is not repeated',
  (given) => {
    expect(() => serverUrl(given)).toThrow(/expected one such as http:/)
    expect(() => serverUrl(given)).not.toThrow(/:pw/)
  },
)
