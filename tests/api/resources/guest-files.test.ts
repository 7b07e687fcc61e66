import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { type Ask, asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { keptFolder, writeBelow } from '../../support/tree-folder.ts'

const home = keptFolder()
let app: App
let ask: Ask
let by: (token: string) => Ask

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', `${httpOnly}profiles: { web: {} }\n`)
  writeBelow(
    home.path,
    'guests.d/old.yaml',
    'mac: 52:54:00:00:00:01\nvars: { root_password: geheim, zone: a }\n',
  )
  app = testApp(home.path)
  await app.start()
  by = (token) =>
    asking(
      () => `http://127.0.0.1:${portOf(app)}`,
      () => token,
    )
  ask = by(await makeToken(app, 'operator'))
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

const table = 'name,mac,profile\nold,52:54:00:00:00:01,\nnew1,52:54:00:00:00:02,web\n'
const send = (ask_: Ask, body: string | Uint8Array<ArrayBuffer>, query = '') =>
  ask_('POST', `/api/v1/imports/guests${query}`, { body, headers: { 'content-type': 'text/plain' } })
const file = (name: string) => existsSync(join(home.path, `guests.d/${name}.yaml`))

test('an import makes all or nothing, and what it makes boots its disk', async () => {
  const faulty = await send(ask, `${table}bad,nonsense,web\n`)
  expect(faulty).toMatchObject({ status: 200, body: { format: 'csv', changed: false } })
  expect(faulty.body.entries).toMatchObject([
    { line: 2, name: 'old' },
    { line: 3, result: 'not added', name: 'new1' },
    { line: 4, result: 'faulty', why: expect.stringContaining('nonsense') },
  ])
  expect(file('new1')).toBe(false)
  expect((await send(ask, table, '?dry-run')).body.changed).toBe(false)
  expect(file('new1')).toBe(false)
  expect((await send(ask, `${table}bad,nonsense,web\n`, '?skip-faulty')).body.changed).toBe(true)
  expect((await ask('GET', '/api/v1/guests/new1')).body).toMatchObject({ state: 'local', profiles: ['web'] })
  expect(file('bad')).toBe(false)
  const { body } = await by(await makeToken(app, 'admin'))('GET', '/api/v1/audit?limit=10')
  expect(body.items).toContainEqual(
    expect.objectContaining({
      action: 'guests.import',
      target: 'csv',
      after: expect.objectContaining({ names: ['new1'] }),
    }),
  )
})

test('an import installs only by a token that may order it', async () => {
  const row = 'name,mac\nnew2,52:54:00:00:00:03\n'
  const narrowed = by(await makeToken(app, 'operator', 'guests:write'))
  expect((await send(narrowed, row, '?firstBoot=install')).status).toBe(403)
  expect((await send(by(await makeToken(app, 'viewer')), row)).status).toBe(403)
  expect(file('new2')).toBe(false)
  expect((await send(ask, row, '?firstBoot=install')).body.changed).toBe(true)
  expect((await ask('GET', '/api/v1/guests/new2')).body).toMatchObject({ state: 'install' })
})

test('a text that is no list of machines, a profile that is none and a body that is no UTF-8 are told', async () => {
  expect(await send(ask, 'nothing\n')).toMatchObject({ status: 422, body: { error: 'invalid-data' } })
  expect((await send(ask, table, '?profile=none')).status).toBe(404)
  const latin1 = new Uint8Array(Buffer.from('name,hostname\nnew3,köln\n', 'latin1'))
  expect((await send(ask, latin1)).status).toBe(400)
  expect((await send(ask, table, '?from=other')).status).toBe(400)
})

test('an export has no secret, unless the token may see them', async () => {
  const csv = await ask('GET', '/api/v1/exports/guests?guest=old')
  expect(csv.text).toContain('old,52:54:00:00:00:01')
  expect(csv.text).toContain(',a')
  expect(csv.text).not.toContain('geheim')
  expect(csv.headers.get('treeboot-secrets-left-out')).toBe('1')
  expect((await ask('GET', '/api/v1/exports/guests?with-secrets')).status).toBe(403)
  const reveals = by(await makeToken(app, 'admin', 'guests:read', 'answers:reveal'))
  expect((await reveals('GET', '/api/v1/exports/guests?with-secrets&as=json')).text).toContain('geheim')
  const inventory = await ask('GET', '/api/v1/exports/guests?as=ansible&list')
  expect(inventory.body._meta.hostvars.old).toMatchObject({ zone: 'a' })
})
