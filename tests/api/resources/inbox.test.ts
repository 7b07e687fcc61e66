import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { keptFolder, makeTree, writeBelow } from '../../support/tree-folder.ts'

const config = `${httpOnly}
profiles: { web: { tree: fedora-40 } }
guests: { web01: { mac: "52:54:00:aa:bb:01" } }
`
const home = keptFolder()
let app: App
let token: string
const ask = asking(
  () => `http://127.0.0.1:${portOf(app)}`,
  () => token,
)
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'
const macs = ['52:54:00:cc:00:01', '52:54:00:cc:00:02', '52:54:00:cc:00:03', '52:54:00:cc:00:04']
const adopt = (id: string, json: object, query = '') =>
  ask('POST', `/api/v1/inbox/${id}/adopt${query}`, { json })
const listed = async () =>
  (await ask('GET', '/api/v1/inbox?sort=id')).body.items.map(({ id }: { id: string }) => id)

beforeAll(async () => {
  makeTree(join(home.path, 'trees/fedora-40'), { version: '40' })
  writeBelow(home.path, 'config.yaml', config)
  app = testApp(home.path)
  await app.start()
  token = await makeToken(app, 'admin')
}, 20_000)

beforeEach(async () => {
  for (const mac of macs) await ask('GET', `/boot/by/${mac}/${uuid}/ipxe`)
})

afterAll(async () => {
  await app.stop()
  home.remove()
})

test('a machine that asked becomes a guest that boots its own disk', async () => {
  expect(await listed()).toEqual(macs)
  const [mac = ''] = macs
  const tried = await adopt(mac, { name: 'a', profile: 'web' }, '?dry-run')
  expect(tried).toMatchObject({ status: 200, body: { changed: false, where: 'guests.d/a.yaml' } })
  expect(existsSync(join(home.path, 'guests.d/a.yaml'))).toBe(false)
  const made = await adopt('52-54-00-CC-00-01', { name: 'a', profile: 'web' })
  expect([made.status, made.headers.get('location')]).toEqual([201, '/api/v1/guests/a/definition'])
  expect(readFileSync(join(home.path, 'guests.d/a.yaml'), 'utf8')).toMatch(
    /^# First asked for boot at .*\n(?:# .*\n)*mac: 52:54:00:cc:00:01\nprofile: web\n$/,
  )
  expect((await ask('GET', '/api/v1/guests/a')).body).toMatchObject({ state: 'local', macs: [mac] })
  expect(await listed()).toEqual(macs.slice(1))
  expect((await ask('GET', '/api/v1/audit?limit=1')).body.items[0]).toMatchObject({
    action: 'guests.adopt',
    target: 'a',
    after: { machine: mac, firstBoot: 'local' },
  })
  expect((await adopt(mac, { name: 'again' })).body).toMatchObject({
    status: 409,
    detail: expect.stringContaining('guest a already'),
  })
})

test('or is installed, when that is said', async () => {
  const json = { name: 'b', profile: ['web'], firstBoot: 'install' }
  expect((await adopt(macs[1] ?? '', json)).status).toBe(201)
  expect((await ask('GET', '/api/v1/guests/b')).body.state).toBe('install')
})

test('nothing is made of what is wrong', async () => {
  const free = macs[2] ?? ''
  expect((await adopt(free, { name: 'c', profile: 'none' })).status).toBe(422)
  expect((await adopt(free, { name: 'web01' })).status).toBe(409)
  expect((await adopt(free, { name: '../c' })).status).toBe(400)
  expect((await adopt('52:54:00:dd:00:01', { name: 'c' })).status).toBe(404)
  expect((await adopt('x', { name: 'c' })).status).toBe(404)
  // Two machines say the same UUID.
  expect((await adopt(uuid, { name: 'c' })).body).toMatchObject({ status: 409 })
  expect(existsSync(join(home.path, 'guests.d/c.yaml'))).toBe(false)
  expect((await ask('GET', '/api/v1/guests/c')).status).toBe(404)
})

test('a machine is dropped, until it asks again', async () => {
  const [, , mac = ''] = macs
  expect((await ask('DELETE', `/api/v1/inbox/${mac}`)).status).toBe(204)
  expect(await listed()).not.toContain(mac)
  expect((await ask('DELETE', `/api/v1/inbox/${mac}`)).status).toBe(404)
  await ask('GET', `/boot/by/${mac}/ipxe`)
  expect(await listed()).toContain(mac)
  expect((await ask('DELETE', '/api/v1/inbox/52:54:00:aa:bb:01')).status).toBe(409)
})
