import { afterAll, beforeAll, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { type Ask, asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { keptFolder, makeTree, writeBelow } from '../../support/tree-folder.ts'

/** What changes of definitions must not do to the disk of a machine. */

const config = `${httpOnly}
profiles: { main: { tree: fedora-40 } }
`
const home = keptFolder()
let app: App
const base = () => `http://127.0.0.1:${portOf(app)}`
let ask: Ask
/** By a token that may change guests, and order nothing. */
let askNarrowed: Ask
const guests = '/api/v1/guests'
const mac = (n: number): string => `52:54:00:00:00:0${n}`

beforeAll(async () => {
  writeBelow(home.path, 'config.yaml', config)
  makeTree(`${home.path}/trees/fedora-40`, { version: '40' })
  app = testApp(home.path)
  await app.start()
  const token = await makeToken(app, 'operator')
  const narrowed = await makeToken(app, 'operator', 'guests:write')
  ask = asking(base, () => token)
  askNarrowed = asking(base, () => narrowed)
}, 20_000)

afterAll(async () => {
  await app.stop()
  home.remove()
})

const add = (by: Ask, name: string, definition: object, firstBoot = 'local') =>
  by('POST', guests, { json: { name, definition: { profile: 'main', ...definition }, firstBoot } })
const patch = (by: Ask, path: string, json: object) =>
  by('PATCH', `${path}/definition`, { json, headers: { 'if-match': '*' } })

/** Whether the machine with this MAC is sent into an installer. */
async function isInstalled(ownMac: string): Promise<boolean> {
  const { text } = await asking(base, () => '')('GET', `/boot/by/${ownMac.replaceAll(':', '-')}/ipxe`)
  return text.includes('vmlinuz') && !text.includes('choose')
}

test('a token that orders nothing makes no guest that is installed', async () => {
  const refused = {
    status: 403,
    body: { error: 'forbidden', message: expect.stringContaining('guests:order') },
  }
  expect(await add(askNarrowed, 'n1', { mac: mac(1) }, 'install')).toMatchObject(refused)
  expect((await ask('GET', `${guests}/n1`)).status).toBe(404)
  expect((await add(askNarrowed, 'n1', { mac: mac(1) })).status).toBe(201)
  expect(await isInstalled(mac(1))).toBe(false)
  // What is ordered for one machine does not go to another one.
  expect((await ask('POST', `${guests}/n1/install`)).status).toBe(200)
  expect(await patch(askNarrowed, `${guests}/n1`, { mac: mac(2) })).toMatchObject(refused)
  const put = {
    body: `mac: "${mac(2)}"\nprofile: main\n`,
    headers: { 'if-match': '*', 'content-type': 'application/yaml' },
  }
  expect(await askNarrowed('PUT', `${guests}/n1/definition`, put)).toMatchObject(refused)
  expect((await patch(askNarrowed, `${guests}/n1`, { args: ['quiet'] })).status).toBe(200)
  expect([await isInstalled(mac(1)), await isInstalled(mac(2))]).toEqual([true, false])
  expect((await patch(ask, `${guests}/n1`, { mac: mac(2) })).status).toBe(200)
})

test('the address of a removed guest makes its machine no other guest', async () => {
  const ip = '127.0.0.1'
  await add(ask, 'a', { mac: mac(3), ip }, 'install')
  expect(await isInstalled(mac(3))).toBe(true)
  await ask('POST', `${guests}/a/local`)
  expect((await ask('DELETE', `${guests}/a`, { headers: { 'if-match': '*' } })).status).toBe(200)
  expect((await add(ask, 'b', { mac: mac(4), ip }, 'install')).status).toBe(201)
  expect([await isInstalled(mac(3)), await isInstalled(mac(4))]).toEqual([false, true])
  await ask('DELETE', `${guests}/b`, { headers: { 'if-match': '*' } })
  // Known by the address alone: it is the machine that was there, under another name.
  expect((await add(ask, 'c', { ip }, 'install')).status).toBe(201)
  expect((await ask('GET', `${guests}/c`)).body.state).not.toBe('install')
  expect(await isInstalled(mac(3))).toBe(false)
})

test('retry in a profile starts no installation again that began without it', async () => {
  await add(ask, 'r', { mac: mac(5), profile: 'main' }, 'install')
  const token = await ask('POST', `${guests}/r/installing`)
  expect(token.status).toBe(204)
  expect(await isInstalled(mac(5))).toBe(false)
  expect(
    (await ask('POST', '/api/v1/profiles', { json: { name: 'eager', definition: { retry: true } } })).status,
  ).toBe(201)
  expect((await patch(ask, `${guests}/r`, { profile: ['main', 'eager'] })).status).toBe(200)
  expect((await ask('GET', `${guests}/r`)).body).toMatchObject({
    state: 'installing',
    nextBoot: { plan: 'local-disk' },
  })
  expect(await isInstalled(mac(5))).toBe(false)
})

test('a guest that is forgotten boots its disk, and so does what comes after it under its name', async () => {
  await add(ask, 'f1', { mac: mac(6) }, 'install')
  await patch(ask, `${guests}/f1`, { mac: mac(7) })
  const forget = (by: Ask, name: string) => by('POST', `${guests}/${name}/forget`)
  expect((await forget(askNarrowed, 'f1')).status).toBe(403)
  expect(await forget(ask, 'f1')).toMatchObject({ status: 200, body: { name: 'f1', state: 'held' } })
  expect(await isInstalled(mac(7))).toBe(false)
  expect((await forget(ask, 'nobody')).status).toBe(404)
  // Its earlier MAC may be that of another guest now.
  await add(ask, 'f2', { mac: mac(6) }, 'install')
  expect(await isInstalled(mac(6))).toBe(true)
  // A guest that was removed: under its name nothing is installed, and its machine may have another one.
  await ask('DELETE', `${guests}/f1`, { headers: { 'if-match': '*' } })
  expect((await forget(ask, 'f1')).status).toBe(200)
  await patch(ask, `${guests}/f2`, { mac: mac(8) })
  expect((await add(ask, 'f3', { mac: mac(7) }, 'install')).status).toBe(201)
  expect(await isInstalled(mac(7))).toBe(true)
  writeBelow(home.path, 'guests.d/f1.yaml', `mac: "${mac(9)}"\nprofile: main\n`)
  await app.reload()
  await eventually(() => expect(app.snapshot().guests.byName('f1')).toBeDefined())
  expect(await isInstalled(mac(9))).toBe(false)
})
