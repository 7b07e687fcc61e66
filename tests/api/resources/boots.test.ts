import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { recordingOf } from '../../support/boots.ts'
import { keptFolder, writeBelow } from '../../support/tree-folder.ts'

const home = keptFolder()
let app: App
let token: string
const base = () => `http://127.0.0.1:${portOf(app)}`
const ask = asking(base, () => token)

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', `${httpOnly}guests: { web01: { mac: "52:54:00:aa:bb:01" } }\n`)
  app = testApp(home.path)
  await app.start()
  token = await makeToken(app, 'viewer', 'guests:read')
  for (const { event } of recordingOf('proxy-bios-ipxe').events) app.events.emit(event)
  for (let n = 10; n < 35; n++)
    app.events.emit({
      type: 'dhcp',
      step: 'offered',
      client: `52:54:00:00:00:${n}`,
      mac: `52:54:00:00:00:${n}`,
      xid: n,
      port: 67,
      ms: 1,
    })
})

afterAll(async () => {
  await app.stop()
  home.remove()
})

test('boots are listed in pages, the newest first, each boot once', async () => {
  const ids: number[] = []
  let cursor = ''
  do {
    const { body } = await ask('GET', `/api/v1/boots?limit=7${cursor}`)
    expect(body.total).toBe(26)
    ids.push(...body.items.map(({ id }: { id: number }) => id))
    cursor = body.next === null ? '' : `&cursor=${body.next}`
  } while (cursor !== '')
  expect(ids).toHaveLength(26)
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => b - a))
})

test('boots are chosen by guest, state and time', async () => {
  const found = async (query: string) => (await ask('GET', `/api/v1/boots?${query}`)).body
  expect(await found('guest=web01')).toMatchObject({
    total: 1,
    next: null,
    items: [{ guest: 'web01', machine: 'web01', state: 'done', reason: null, purpose: 'install' }],
  })
  expect(await found('state=done')).toMatchObject({ total: 1, items: [{ guest: 'web01' }] })
  expect((await found('state=running&limit=1000')).items).toHaveLength(25)
  expect((await found('state=running&limit=10')).next).not.toBeNull()
  expect(await found('state=failed')).toMatchObject({ total: 0, items: [] })
  expect(await found('since=2099-01-01T00:00:00%2B01:00')).toMatchObject({ total: 0, items: [] })
  expect((await found('since=2020-01-01T00:00:00Z&limit=1')).total).toBe(26)
  expect((await ask('GET', '/api/v1/boots?since=yesterday')).body.errors).toMatchObject([
    { field: 'query.since', found: 'yesterday' },
  ])
})

test('one boot has its steps in the order in which machines take them', async () => {
  const [{ id }] = (await ask('GET', '/api/v1/boots?guest=web01')).body.items
  const { body } = await ask('GET', `/api/v1/boots/${id}`)
  expect(body).toMatchObject({ id, guest: 'web01', state: 'done', kernel: expect.stringContaining('/') })
  const kinds = body.steps.map(({ kind }: { kind: string }) => kind)
  expect(kinds.slice(0, 2)).toEqual(['dhcp-asked', 'dhcp-offered'])
  expect(kinds).toEqual(expect.arrayContaining(['configuration', 'kernel', 'initrd', 'end']))
  expect(body.steps.find(({ kind }: { kind: string }) => kind === 'kernel')).toMatchObject({
    status: 'done',
    start: expect.stringMatching(/^\d{4}-.*Z$/),
    words: expect.stringContaining('iPXE'),
  })
  expect((await ask('GET', '/api/v1/boots/999999')).status).toBe(404)
  expect((await ask('GET', '/api/v1/boots/web01')).status).toBe(404)
})

test('one boot says what is not as in the last good one', async () => {
  const [{ id: good }] = (await ask('GET', '/api/v1/boots?guest=web01')).body.items
  expect((await ask('GET', `/api/v1/boots/${good}`)).body.comparison).toBeNull()
  for (const { event } of recordingOf('proxy-bios-ipxe').events) {
    if (event.type === 'dhcp') app.events.emit({ ...event, xid: event.xid + 1 })
    else if (event.type === 'served' && !event.path.includes('install.img')) app.events.emit(event)
  }
  const [{ id }] = (await ask('GET', '/api/v1/boots?guest=web01')).body.items
  expect(id).toBeGreaterThan(good)
  expect((await ask('GET', `/api/v1/boots/${id}`)).body.comparison).toEqual({
    boot: good,
    start: expect.stringMatching(/^\d{4}-.*Z$/),
    differences: expect.arrayContaining([{ step: 'stage2', change: 'missing', ms: null, goodMs: null }]),
  })
})

test('a boot that stopped has its reason in words', async () => {
  app.events.emit({ type: 'report', guest: 'web01', client: '127.0.0.1', state: 'failed', detail: 'no disk' })
  const [boot] = (await ask('GET', '/api/v1/boots?guest=web01&state=failed')).body.items
  expect(boot.reason).toEqual({
    id: expect.any(String),
    seen: expect.stringContaining('no disk'),
    means: expect.any(String),
    try: expect.any(String),
  })
})
