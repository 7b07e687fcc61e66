import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, makeTree, writeBelow } from '../../support/tree-folder.ts'

const config = `${httpOnly}
guests:
  # the first
  main: { mac: "52:54:00:aa:bb:01" }
  hidden:
    mac: "52:54:00:aa:bb:02"
    vars: { rootpw: planted-secret }
`
const files = {
  'profiles.d/lab.yaml': 'args: [quiet] # of the lab\n',
  'profiles.d/other.yaml': 'args: [text]\n',
  'guests.d/a.yaml': 'mac: 52:54:00:aa:bb:10\nprofile: lab # first\n',
  'guests.d/b.yaml': 'profile: lab\n',
  'guests.d/named.yaml': '{}\n',
  'guests.d/busy.yaml': 'mac: 52:54:00:aa:bb:11\ntree: fedora-40\ntemplate: web.ks\n',
}
const home = keptFolder()
let app: App
let token: string
const ask = asking(
  () => `http://127.0.0.1:${portOf(app)}`,
  () => token,
)
const fileOf = (name: string) => readFileSync(join(home.path, name), 'utf8')
const any = { 'if-match': '*' }

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/web.ks', '{{ report_url }}\n')
  for (const [name, content] of Object.entries(files)) writeBelow(home.path, name, content)
  app = testApp(home.path)
  await app.start()
  token = await makeToken(app, 'admin')
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

describe('a profile that guests have', () => {
  test('stays, and each guest that has it is named', async () => {
    const { body } = await ask('DELETE', '/api/v1/profiles/lab', { headers: any })
    expect(body).toMatchObject({ status: 409, error: 'conflict' })
    expect(body.errors).toEqual([
      { field: 'guests.d/a.yaml:2', found: 'guest a', expected: expect.any(String) },
      { field: 'guests.d/b.yaml:1', found: 'guest b', expected: expect.any(String) },
    ])
    expect(existsSync(join(home.path, 'profiles.d/lab.yaml'))).toBe(true)
  })

  test('gets another name in all files, which are shown before', async () => {
    const path = '/api/v1/profiles/lab/rename'
    expect((await ask('POST', path, { json: { to: 'web' } })).status).toBe(428)
    const tried = await ask('POST', `${path}?dry-run`, { json: { to: 'web' }, headers: any })
    expect(tried).toMatchObject({ status: 200, body: { name: 'web', changed: false, note: null } })
    expect(tried.body.others).toEqual([
      { where: 'guests.d/a.yaml', difference: ' mac: 52:54:00:aa:bb:10\n-profile: lab\n+profile: web\n' },
      { where: 'guests.d/b.yaml', difference: '-profile: lab\n+profile: web\n' },
      { where: 'profiles.d/lab.yaml', difference: expect.stringMatching(/^-/) },
    ])
    expect(existsSync(join(home.path, 'profiles.d/web.yaml'))).toBe(false)
    const made = await ask('POST', path, { json: { to: 'web' }, headers: any })
    expect(made.body).toEqual({ ...tried.body, changed: true })
    expect(made.headers.get('location')).toBe('/api/v1/profiles/web/definition')
    expect(fileOf('guests.d/a.yaml')).toBe('mac: 52:54:00:aa:bb:10\nprofile: web # first\n')
    expect((await ask('GET', '/api/v1/guests?profile=web')).body.total).toBe(2)
    expect((await ask('POST', path, { json: { to: 'web' }, headers: any })).status).toBe(404)
  })

  test('is removed when another one takes its place, and the audit names both', async () => {
    const path = '/api/v1/profiles/web?replace-by=other'
    expect((await ask('DELETE', '/api/v1/profiles/web?replace-by=', { headers: any })).status).toBe(400)
    expect((await ask('DELETE', '/api/v1/profiles/web?replace-by=none', { headers: any })).status).toBe(404)
    const { status, body } = await ask('DELETE', path, { headers: any })
    expect([status, body.others.length]).toEqual([200, 2])
    expect(fileOf('guests.d/b.yaml')).toBe('profile: other\n')
    expect((await ask('GET', '/api/v1/guests/a')).body.profiles).toEqual(['other'])
    expect((await ask('GET', '/api/v1/audit?limit=1')).body.items[0]).toMatchObject({
      action: 'profiles.remove',
      target: 'web',
      after: { replacedBy: 'other', also: ['guests.d/a.yaml', 'guests.d/b.yaml'] },
    })
  })
})

describe('a guest gets another name', () => {
  const rename = (name: string, to: string) =>
    ask('POST', `/api/v1/guests/${name}/rename`, { json: { to }, headers: any })

  test('and its machine keeps its state and its history', async () => {
    await ask('POST', '/api/v1/guests/a/hold', { json: { reason: 'disk with data' } })
    const { status, body } = await rename('a', 'a2')
    expect([status, body.note]).toEqual([200, null])
    expect(fileOf('guests.d/a2.yaml')).toContain('52:54:00:aa:bb:10')
    expect((await ask('GET', '/api/v1/guests/a2')).body).toMatchObject({
      state: 'held',
      hold: expect.stringContaining('disk with data'),
    })
    expect((await ask('GET', '/api/v1/guests/a2/story')).body.items.at(-1)).toMatchObject({ step: 'held' })
    expect((await ask('GET', '/api/v1/guests/a')).status).toBe(404)
  })

  test('and is held when nothing tells that it is the same machine', async () => {
    await ask('POST', '/api/v1/guests/named/local')
    const { status, body } = await rename('named', 'named2')
    expect([status, body.note]).toEqual([200, expect.stringContaining('held')])
    expect((await ask('GET', '/api/v1/guests/named2')).body).toMatchObject({ state: 'held', hold: 'renamed' })
  })

  test('but not while it is being installed', async () => {
    const report = (await ask('GET', '/ks/busy')).text.trim().replace('/installed/', '/installing/')
    await ask('POST', new URL(report).pathname)
    expect((await ask('GET', '/api/v1/guests/busy')).body.state).toBe('installing')
    const { body } = await rename('busy', 'busy2')
    expect(body).toMatchObject({ status: 409, detail: expect.stringContaining('installed') })
    expect(existsSync(join(home.path, 'guests.d/busy.yaml'))).toBe(true)
    expect((await ask('GET', '/api/v1/guests/busy')).body.state).toBe('installing')
  })

  test.each(['../x', 'a/b', '', 'a2', '.hidden'])('but not %j', async (to) => {
    expect([400, 409, 422]).toContain((await rename('b', to)).status)
    expect(existsSync(join(home.path, 'guests.d/b.yaml'))).toBe(true)
  })
})

describe('a guest of config.yaml', () => {
  test('gets a file, and the lines to delete are told', async () => {
    const tried = await ask('POST', '/api/v1/guests/main/move?dry-run')
    expect(tried).toMatchObject({ status: 200, body: { changed: false } })
    expect(existsSync(join(home.path, 'guests.d/main.yaml'))).toBe(false)
    const made = await ask('POST', '/api/v1/guests/main/move')
    expect(made).toMatchObject({
      status: 201,
      body: { where: 'guests.d/main.yaml', delete: { file: 'config.yaml', becomes: '' } },
    })
    const lines = config.split('\n').slice(made.body.delete.first - 1, made.body.delete.last)
    expect(`${lines.join('\n')}\n`).toBe(made.body.delete.text)
    expect(lines.join('\n')).toContain('main: {')
    expect(fileOf('config.yaml')).toBe(config)
    expect((await ask('POST', '/api/v1/guests/main/move')).status).toBe(409)
    expect((await ask('POST', '/api/v1/guests/nobody/move')).status).toBe(404)
  })

  test('shows no secret of it', async () => {
    const { status, text, body } = await ask('POST', '/api/v1/guests/hidden/move')
    expect([status, body.delete.text]).toEqual([201, null])
    expect(text).not.toContain('planted-secret')
    expect(fileOf('guests.d/hidden.yaml')).toContain('planted-secret')
  })
})

test('a mirror with a password in its URL is shown without its text', async () => {
  const definition = { url: 'http://user:planted-secret@127.0.0.1:1/x/' }
  const made = await ask('POST', '/api/v1/mirrors', { json: { name: 'm', definition } })
  expect(made.status).toBe(201)
  const { text, body } = await ask('GET', '/api/v1/mirrors/m/definition')
  expect(text + made.text).not.toContain('planted-secret')
  expect(body.text).toBeNull()
})
