import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, makeTree, namesBelow, writeBelow } from '../../support/tree-folder.ts'

const config = `${httpOnly}
guests:
  web01: { mac: "52:54:00:aa:bb:01", tree: fedora-40, template: web.ks, vars: { rootpw: planted-secret } }
`
const home = keptFolder()
let app: App
let token: string
let other: string
const base = () => `http://127.0.0.1:${portOf(app)}`
const ask = asking(base, () => token)
const path = '/api/v1/guests/web01/try'

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/web.ks', 'rootpw {{ rootpw }}\n')
  app = testApp(home.path)
  await app.start()
  token = await makeToken(app, 'viewer')
  other = await makeToken(app, 'viewer')
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

/** Of all files of the data folder. */
function digestOfData(): string {
  const data = join(home.path, 'data')
  const hash = createHash('sha256')
  for (const name of namesBelow(data).sort())
    if (statSync(join(data, name)).isFile()) hash.update(name).update(readFileSync(join(data, name)))
  return hash.digest('hex')
}

test('a boot is tried step by step, and changes nothing', async () => {
  await ask('GET', '/api/v1/inbox')
  const before = digestOfData()
  const { status, text, body } = await ask('POST', path, { json: { firmware: 'direct', as: 'install' } })
  expect(status).toBe(200)
  expect(body).toMatchObject({ total: 1, next: null })
  const [boot] = body.items
  expect(boot).toMatchObject({ guest: 'web01', firmware: 'direct', as: 'install', steps: expect.any(Array) })
  const kernel = boot.steps.find(({ what }: { what: string }) => what === 'kernel')
  expect(kernel).toMatchObject({
    outcome: expect.stringMatching(/ok|failed/),
    path: expect.stringContaining('vmlinuz'),
  })
  expect(text).not.toContain('planted-secret')
  expect((await ask('GET', '/api/v1/guests/web01')).body).toMatchObject({ state: 'install', since: null })
  expect((await ask('GET', '/api/v1/guests/web01/story')).body.total).toBe(0)
  expect(digestOfData()).toBe(before)
})

test('of one firmware, of those that are likely, or of all', async () => {
  const firmwareOf = async (json?: object) =>
    (await ask('POST', path, json && { json })).body.items.map(
      ({ firmware }: { firmware: string }) => firmware,
    )
  expect(await firmwareOf({ firmware: 'uefi-x64' })).toEqual(['uefi-x64'])
  expect(await firmwareOf()).toContain('bios')
  expect(await firmwareOf({ firmware: 'all' })).toEqual(await firmwareOf())
  expect((await ask('POST', path, { json: { firmware: 'toaster' } })).body).toMatchObject({
    status: 400,
    errors: [{ field: 'body.firmware', found: 'toaster' }],
  })
  expect((await ask('POST', '/api/v1/guests/nobody/try')).status).toBe(404)
})

test('once at a time for each caller', async () => {
  const tries = [token, token, token, other].map((each) => asking(base, () => each)('POST', path))
  const statuses = (await Promise.all(tries)).map(({ status }) => status)
  expect(statuses.slice(0, 3).sort()).toEqual([200, 429, 429])
  expect(statuses[3]).toBe(200)
  expect((await ask('POST', path)).status).toBe(200)
})
