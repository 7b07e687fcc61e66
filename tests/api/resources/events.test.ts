import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { recordingOf } from '../../support/boots.ts'
import { StreamClient } from '../../support/event-stream.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, makeTree, writeBelow } from '../../support/tree-folder.ts'

const home = keptFolder()
let app: App
let admin: string
const base = () => `http://127.0.0.1:${portOf(app)}`
const ask = asking(base, () => admin)
const opened: StreamClient[] = []

beforeAll(async () => {
  const guests =
    'guests: { web01: { mac: "52:54:00:aa:bb:01", tree: fedora-40 }, web02: { mac: "52:54:00:aa:bb:02" } }'
  writeBelow(home.path, 'config.yaml', `${httpOnly}${guests}\n`)
  app = testApp(home.path)
  await app.start()
  admin = await makeToken(app, 'admin')
}, 20_000)

afterEach(() => {
  for (const client of opened.splice(0)) client.close()
})

afterAll(async () => {
  await app.stop()
  home.remove()
})

function watch(query = '', token = admin, headers: Record<string, string> = {}): Promise<StreamClient> {
  const client = new StreamClient(`${base()}/api/v1/events${query}`, {
    ...(token !== '' && { authorization: `Bearer ${token}` }),
    ...headers,
  })
  opened.push(client)
  return client.opened()
}

const typesOf = ({ events }: StreamClient): string[] => [...new Set(events.map(({ event }) => event))].sort()

test('a stream tells of boots, guests, trees, publishing, configuration and problems', async () => {
  const client = await watch()
  expect(client.res?.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  for (const { event } of recordingOf('proxy-bios-ipxe').events) app.events.emit(event)
  await ask('POST', '/api/v1/guests/web02/hold')
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  const missing = { firmware: 'bios', outcome: 'impossible', why: `${home.path}/data is full` } as const
  const test = { tree: 'fedora-40', firmware: ['bios'] } as const
  app.events.emit({ type: 'boot-test', ...test, state: 'queued', place: 1, waiting: 2, results: [] })
  app.events.emit({ type: 'boot-test', ...test, state: 'ended', results: [missing] })
  app.events.emit({ type: 'publish', id: 'fedora-40', outcome: 'refused', lines: [`${home.path}/data: no`] })
  writeBelow(home.path, 'guests.d/web03.yaml', 'mac: "52:54:00:aa:bb:03"\ntree: none-99\n')
  await eventually(() => {
    expect(typesOf(client)).toEqual([
      'boot-tests',
      'boots',
      'config',
      'guests',
      'problems',
      'publish',
      'trees',
    ])
  }, 20_000)
  const dataOf = (type: string) => client.events.filter(({ event }) => event === type).map(({ data }) => data)
  expect(dataOf('boots').at(-1)).toMatchObject({
    guest: 'web01',
    machine: 'web01',
    state: 'done',
    reason: null,
    removed: false,
    steps: expect.arrayContaining([expect.objectContaining({ kind: 'end', start: expect.any(String) })]),
  })
  expect(dataOf('guests')).toContainEqual(expect.objectContaining({ guest: 'web02', state: 'held' }))
  expect(dataOf('trees')[0]).toMatchObject({ tree: 'fedora-40' })
  expect(dataOf('boot-tests')).toMatchObject([
    { tree: 'fedora-40', state: 'queued', place: 1, waiting: 2, why: null, results: [] },
    { state: 'ended', place: null, results: [{ ...missing, why: 'data is full' }] },
  ])
  expect(dataOf('publish')).toMatchObject([{ tree: 'fedora-40', outcome: 'refused', lines: ['data: no'] }])
  expect(JSON.stringify(client.events)).not.toContain(home.path)
}, 30_000)

test('a stream has the types and the guest that it asks for', async () => {
  const [guests, one] = [await watch('?types=guests,trees'), await watch('?guest=web01')]
  await ask('POST', '/api/v1/guests/web02/local')
  await ask('POST', '/api/v1/guests/web01/hold')
  await eventually(() => expect(one.events.map(({ data }) => data.guest)).toContain('web01'))
  await eventually(() => expect(guests.events).toHaveLength(2))
  expect(new Set(one.events.map(({ data }) => data.guest))).toEqual(new Set(['web01']))
  const wrong = await ask('GET', '/api/v1/events?types=guests,nothing')
  expect([wrong.status, wrong.body.errors?.[0]?.field]).toEqual([400, 'query.types'])
})

test('a token without guests:read sees no guest', async () => {
  const narrow = await makeToken(app, 'admin', 'uploads')
  const client = await watch('', narrow)
  await ask('POST', '/api/v1/guests/web02/hold')
  await ask('POST', '/api/v1/guests/web01/local')
  for (const { event } of recordingOf('direct').events) app.events.emit(event)
  const wide = await watch('?types=boots')
  app.events.emit({
    type: 'dhcp',
    step: 'offered',
    client: 'x',
    mac: '52:54:00:aa:bb:01',
    xid: 9,
    port: 67,
    ms: 0,
  })
  await eventually(() => expect(wide.events.length).toBeGreaterThan(0))
  app.events.emit({ type: 'tree', id: 'last', state: 'removed', reasons: [] })
  await eventually(() => expect(client.events.map(({ data }) => data.tree)).toContain('last'))
  expect(client.text).not.toMatch(/web0|52:54/)
  expect((await watch('?types=boots', narrow)).status).toBe(403)
})

test('who comes back gets what was missed', async () => {
  const first = await watch('?types=trees')
  first.close()
  app.events.emit({ type: 'tree', id: 'missed', state: 'ready', reasons: [] })
  const again = await watch('?types=trees', admin, { 'last-event-id': first.lastId })
  await eventually(() => expect(again.events.map(({ data }) => data.tree)).toEqual(['missed']))
  const lost = await watch('?types=trees', admin, { 'last-event-id': '1-00000000-1' })
  expect(lost.events.map(({ event }) => event)).toEqual(['reset'])
})

test('the twenty-first stream of an account is refused', async () => {
  const token = await makeToken(app, 'viewer')
  const clients = await Promise.all(Array.from({ length: 20 }, () => watch('', token)))
  expect(clients.map(({ status }) => status)).toEqual(Array(20).fill(200))
  const more = await watch('', token)
  expect([more.status, more.res?.headers['retry-after']]).toEqual([429, expect.any(String)])
  expect((await watch('', admin)).status).toBe(200)
  // Streams take no place from other requests of the same address, and one that ends makes room.
  clients[0]?.close()
  await eventually(async () => expect((await watch('', token)).status).toBe(200))
})

test('more streams than a client may have requests leave room for its other requests', async () => {
  const tokens: string[] = []
  for (let n = 0; n < 5; n++) tokens.push(await makeToken(app, 'viewer'))
  for (const token of tokens) for (let n = 0; n < 16; n++) expect((await watch('', token)).status).toBe(200)
  expect((await ask('GET', '/api/v1/version')).status).toBe(200)
}, 20_000)

test('a stream ends with its token, its account, or its session', async () => {
  const account = 'streaming'
  await app.accounts.addAccount({ name: account, role: 'viewer', password: 'a long password' })
  const maker = { kind: 'account', account, role: 'viewer' } as const
  const { token } = await app.accounts.makeToken(maker, { name: 'test', role: 'viewer' })
  const byToken = await watch('', token)
  const { id } = await app.accounts.signIn(account, 'a long password', '127.0.0.1')
  const cookie = { cookie: `treeboot-session=${id}` }
  const bySession = await watch('', '', cookie)
  expect([byToken.status, bySession.status]).toEqual([200, 200])
  const other = await watch()
  await app.accounts.revokeToken(account, 'test', { account: 'test', from: 'test' })
  await eventually(() => expect(byToken.isEnded).toBe(true))
  expect(bySession.isEnded).toBe(false)
  await app.accounts.signOut(id)
  await eventually(() => expect(bySession.isEnded).toBe(true))
  expect(other.isEnded).toBe(false)
})

test('a page of another site gets no stream, and a token in the URL counts for nothing', async () => {
  const site = { 'sec-fetch-site': 'cross-site' }
  expect((await watch('', '', site)).status).toBe(403)
  expect((await watch('', '', { origin: 'http://evil.example' })).status).toBe(403)
  expect((await watch('', admin, site)).status).toBe(200)
  expect((await watch('', '', { 'sec-fetch-site': 'same-origin' })).status).toBe(200)
  const narrowed = await watch('?token=x&access_token=y', 'treeboot_none')
  expect(narrowed.status).toBe(401)
})

test('HEAD has the head alone', async () => {
  const { status, headers, text } = await ask('HEAD', '/api/v1/events')
  expect([status, headers.get('content-type'), text]).toEqual([200, 'text/event-stream; charset=utf-8', ''])
})

test('the end of the server waits for no stream', async () => {
  const folder = keptFolder()
  writeBelow(folder.path, 'config.yaml', httpOnly)
  const own = testApp(folder.path)
  await own.start()
  const client = await new StreamClient(`http://127.0.0.1:${portOf(own)}/api/v1/events`).opened()
  expect(client.status).toBe(200)
  await own.stop()
  await eventually(() => expect(client.isEnded).toBe(true))
  folder.remove()
})
