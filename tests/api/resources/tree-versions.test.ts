import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { App } from '../../../server/app.ts'
import { VersionStore } from '../../../server/versions/version-store.ts'
import { asking, makeToken } from '../../support/api.ts'
import { httpOnly, portOf, testApp } from '../../support/app.ts'
import { eventually } from '../../support/eventually.ts'
import { imagesOfTree, keptFolder, makeTree, writeBelow } from '../../support/tree-folder.ts'

const config = `${httpOnly}
profiles:
  newest: { tree: { distro: fedora } }
guests:
  web01: { mac: "52:54:00:aa:bb:01", profile: newest, template: web.ks }
`
let home: ReturnType<typeof keptFolder>
let app: App
let token: string
const ask = asking(
  () => `http://127.0.0.1:${portOf(app)}`,
  () => token,
)
/** From an address of its own: what comes from 127.0.0.1 is this computer. */
const asMachine = (path: string) =>
  new Promise<void>((resolve, reject) => {
    const options = { host: '127.0.0.1', port: portOf(app), path, localAddress: '127.0.7.1', agent: false }
    const asked = httpRequest(options, (res) => void res.resume().on('end', () => resolve()))
    asked.on('error', reject).end()
  })
const trees = () => join(home.path, 'trees')
const idOf = (item: { kind: string; name: string; how: string }) => `${item.kind} ${item.name} ${item.how}`

beforeEach(async () => {
  home = keptFolder()
  writeBelow(home.path, 'config.yaml', config)
  writeBelow(home.path, 'kickstart-templates/web.ks', '{{ report_url }}\n')
  writeBelow(home.path, 'profiles.d/pinned.yaml', '# for the lab\ntree: { id: f41 } # pinned\n')
  writeBelow(home.path, 'guests.d/web02.yaml', 'mac: 52:54:00:aa:bb:02\nprofile: pinned\n')
  mkdirSync(trees(), { recursive: true })
  let nowMs = Date.now() - 30 * 86_400_000
  const store = new VersionStore(trees(), () => nowMs)
  for (const version of ['40', '41', '42', '43']) {
    const staged = join(trees(), '.treeboot/incoming', version)
    makeTree(staged, { version })
    const id = version === '43' ? 'f43' : 'f41'
    await store.publish({ id, kind: 'folder', path: staged, source: `test ${version}` })
    nowMs += 5 * 86_400_000
  }
  app = testApp(home.path)
  await app.start()
  token = await makeToken(app, 'admin')
  await eventually(() => expect(app.snapshot().trees.byId('f43')?.state).toBe('ready'), 15_000)
})
afterEach(async () => {
  await app.stop()
  home.remove()
})

describe('versions of a tree', () => {
  test('are listed, rolled back at once, and deleted', async () => {
    const { body } = await ask('GET', '/api/v1/trees/f41/versions')
    expect(body.items.map((each: { version: number }) => each.version)).toEqual([3, 2, 1])
    expect(body.items[0]).toMatchObject({ current: true, source: 'test 42', needed: 'it is the current one' })
    expect(body.items[2]).toMatchObject({ current: false, needed: null, retired: expect.any(String) })
    const back = await ask('POST', '/api/v1/trees/f41/rollback', { json: { version: 1 } })
    expect(back).toMatchObject({ status: 200, body: { version: 1, current: true } })
    expect(app.snapshot().trees.byId('f41')?.version).toBe('40')
    // Version 3 was current until now, and a machine may read it.
    expect(await ask('DELETE', '/api/v1/trees/f41/versions/3')).toMatchObject({ status: 409 })
    expect(await ask('DELETE', '/api/v1/trees/f41/versions/1')).toMatchObject({ status: 409 })
    token = await makeToken(app, 'operator')
    expect((await ask('DELETE', '/api/v1/trees/f41/versions/2')).status).toBe(204)
    expect((await ask('GET', '/api/v1/trees/f41/versions/2')).status).toBe(404)
    expect(existsSync(join(trees(), '.treeboot/versions/f41/2'))).toBe(false)
  })

  test('of ids that lead elsewhere are not there', async () => {
    for (const id of ['..', '%2e%2e', '.treeboot', '..%2f..', 'x'.repeat(300), '%ed%a0%80'])
      expect([400, 404]).toContain((await ask('GET', `/api/v1/trees/a%2f${id}/versions`)).status)
  })

  test('a guest that is being installed keeps the tree, whatever takes its place', async () => {
    writeBelow(home.path, 'guests.d/web03.yaml', 'mac: 52:54:00:aa:bb:03\ntree: f41\ntemplate: web.ks\n')
    await app.reload()
    await ask('POST', '/api/v1/guests/web03/install')
    for (const path of [
      '/pxelinux.cfg/01-52-54-00-aa-bb-03',
      '/trees/f41/images/pxeboot/vmlinuz',
      '/ks/web03',
    ])
      await asMachine(path)
    await eventually(async () =>
      expect((await ask('GET', '/api/v1/guests/web03')).body.state).toBe('installing'),
    )
    const users = await ask('GET', '/api/v1/trees/f41/users')
    expect(users.body.items.map(idOf)).toContain('guest web03 installing')
    const removed = await ask('DELETE', '/api/v1/trees/f41?replace-by=f43')
    expect(removed).toMatchObject({ status: 409, body: { errors: [{ field: 'guest web03' }] } })
    expect(readFileSync(join(home.path, 'guests.d/web03.yaml'), 'utf8')).toContain('tree: f41\n')
    // Its machine goes on, also when nobody defines it any more.
    rmSync(join(home.path, 'guests.d/web03.yaml'))
    await app.reload()
    expect((await ask('GET', '/api/v1/guests/web03')).status).toBe(404)
    expect(await ask('DELETE', '/api/v1/trees/f41?replace-by=f43&versions=all')).toMatchObject({
      status: 409,
      body: { errors: [{ field: 'version 3', found: 'a machine is installing from it' }] },
    })
    expect(readFileSync(join(home.path, 'profiles.d/pinned.yaml'), 'utf8')).toContain('f41')
  })
})

describe('a tree that is removed', () => {
  test('must not be used, unless another one takes its place in all that names it', async () => {
    const users = await ask('GET', '/api/v1/trees/f41/users')
    expect(users.body.items.map(idOf)).toEqual(['profile pinned id', 'guest web02 id'])
    const refused = await ask('DELETE', '/api/v1/trees/f41')
    expect(refused).toMatchObject({
      status: 409,
      body: { errors: [{ field: 'guest web02' }, { field: 'profile pinned' }] },
    })
    expect((await ask('DELETE', '/api/v1/trees/f41?replace-by=f41')).status).toBe(400)
    expect((await ask('DELETE', '/api/v1/trees/f41?replace-by=none')).status).toBe(400)
    const removed = await ask('DELETE', '/api/v1/trees/f41?replace-by=f43')
    expect(removed).toMatchObject({ status: 200, body: { removed: true, version: 3, deleted: [] } })
    expect(readFileSync(join(home.path, 'profiles.d/pinned.yaml'), 'utf8')).toBe(
      '# for the lab\ntree: { id: f43 } # pinned\n',
    )
    expect(app.snapshot().trees.byId('f41')).toBeUndefined()
    expect((await ask('GET', '/trees/f41/.treeinfo')).status).toBe(404)
    const { body } = await ask('GET', '/api/v1/trees/f41/versions')
    expect(body.items.map((each: { current: boolean }) => each.current)).toEqual([false, false, false])
    const audit = (await ask('GET', '/api/v1/audit?limit=2')).body.items
    expect(audit).toMatchObject([
      { action: 'trees.remove', target: 'f41', before: 3 },
      { action: 'trees.replace', after: { by: 'f43', in: ['profiles.d/pinned.yaml'] } },
    ])
  })

  test('is shown with its users and all that would change, and nothing is changed, with dry-run', async () => {
    const before = readFileSync(join(home.path, 'profiles.d/pinned.yaml'), 'utf8')
    // Refused as the removal itself would be.
    expect(await ask('DELETE', '/api/v1/trees/f41?dry-run')).toMatchObject({
      status: 409,
      body: { errors: [{ field: 'guest web02' }, { field: 'profile pinned' }] },
    })
    const { status, body } = await ask('DELETE', '/api/v1/trees/f41?replace-by=f43&versions=all&dry-run=true')
    expect(status).toBe(200)
    expect(body).toMatchObject({ id: 'f41', removed: false, version: 3 })
    expect(body.users.map(idOf).sort()).toEqual(['guest web02 id', 'profile pinned id'])
    expect(body.others).toEqual([
      {
        where: 'profiles.d/pinned.yaml',
        difference: expect.stringMatching(/^-.*f41\n\+.*f43$/m),
      },
    ])
    expect(body.deleted).toEqual(
      [1, 2, 3].map((version) => ({ version, files: 4, bytes: expect.any(Number) })),
    )
    expect(readFileSync(join(home.path, 'profiles.d/pinned.yaml'), 'utf8')).toBe(before)
    expect((await ask('GET', '/trees/f41/.treeinfo')).status).toBe(200)
    expect((await ask('GET', '/api/v1/audit')).text).not.toContain('trees.')
  })

  test('goes with all its versions only by an admin', async () => {
    const admin = token
    token = await makeToken(app, 'operator')
    const path = '/api/v1/trees/f41?replace-by=f43&versions=all'
    expect(await ask('DELETE', path)).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('the last version') },
    })
    expect((await ask('DELETE', `${path}&dry-run`)).status).toBe(403)
    token = admin
    expect(await ask('DELETE', '/api/v1/trees/f41?versions=all')).toMatchObject({ status: 409 })
    expect(await ask('DELETE', '/api/v1/trees/f41?versions=1')).toMatchObject({ status: 400 })
    const { body } = await ask('DELETE', path)
    expect(body).toMatchObject({ removed: true, version: 3, deleted: [{}, {}, {}] })
    expect((await ask('GET', '/trees/f41/.treeinfo')).status).toBe(404)
    expect((await ask('GET', '/api/v1/trees/f41/versions')).status).toBe(404)
    expect(existsSync(join(trees(), '.treeboot/versions/f41/3'))).toBe(false)
    expect(readFileSync(join(home.path, 'profiles.d/pinned.yaml'), 'utf8')).toContain('f43')
    const audit = (await ask('GET', '/api/v1/audit?limit=1')).body.items
    expect(audit).toMatchObject([{ action: 'trees.delete', target: 'f41', before: [1, 2, 3] }])
  })

  test('keeps the versions that a machine may need', async () => {
    await ask('POST', '/api/v1/trees/f41/rollback', { json: { version: 2 } })
    const path = '/api/v1/trees/f41?replace-by=f43&versions=all'
    // Version 3 was current until now.
    const refused = await ask('DELETE', path)
    expect(refused).toMatchObject({
      status: 409,
      body: { errors: [{ field: 'version 3', found: expect.stringContaining('less than a day ago') }] },
    })
    // Nothing is half done.
    expect(readFileSync(join(home.path, 'profiles.d/pinned.yaml'), 'utf8')).toContain('f41')
    expect((await ask('GET', '/trees/f41/.treeinfo')).status).toBe(200)
  })

  test('that traits select is refused, when they would not select what takes its place', async () => {
    makeTree(join(trees(), 'other'), { family: 'AlmaLinux', version: '9' })
    await app.reload()
    await eventually(() => expect(app.snapshot().trees.byId('other')?.state).toBe('ready'), 15_000)
    const refused = await ask('DELETE', '/api/v1/trees/f43?replace-by=other')
    expect(refused).toMatchObject({
      status: 409,
      body: { errors: [{ field: 'guest web01' }, { field: 'profile newest' }] },
    })
    expect((await ask('DELETE', '/api/v1/trees/f43?replace-by=f41')).status).toBe(200)
    // A folder that a person put there is not touched.
    expect((await ask('DELETE', '/api/v1/trees/other')).status).toBe(409)
    expect(existsSync(join(trees(), 'other/.treeinfo'))).toBe(true)
  })

  test('is named in config.yaml: 409, and nothing is changed', async () => {
    const named = config.replace('profile: newest', 'tree: f41')
    writeBelow(home.path, 'config.yaml', named)
    await app.reload()
    const refused = await ask('DELETE', '/api/v1/trees/f41?replace-by=f43')
    expect(refused).toMatchObject({
      status: 409,
      body: { errors: [{ field: expect.stringMatching(/^config\.yaml:\d+$/) }] },
    })
    expect(readFileSync(join(home.path, 'profiles.d/pinned.yaml'), 'utf8')).toContain('f41')
  })

  test('comes back by a rollback, and a restart does not bring it back', async () => {
    await ask('DELETE', '/api/v1/trees/f41?replace-by=f43')
    await app.stop()
    app = testApp(home.path)
    await app.start()
    expect(app.snapshot().trees.byId('f41')).toBeUndefined()
    const back = await ask('POST', '/api/v1/trees/f41/rollback')
    expect(back).toMatchObject({ status: 200, body: { version: 3, current: true } })
    expect(app.snapshot().trees.byId('f41')?.version).toBe('42')
  })

  test('its last version goes only by an admin, and only while it is not offered', async () => {
    await ask('DELETE', '/api/v1/trees/f43?replace-by=f41')
    const admin = token
    token = await makeToken(app, 'operator')
    const refused = await ask('DELETE', '/api/v1/trees/f43/versions/1')
    expect(refused).toMatchObject({ status: 403, body: { detail: expect.stringContaining('the last one') } })
    token = admin
    expect((await ask('DELETE', '/api/v1/trees/f43/versions/1')).status).toBe(204)
    expect((await ask('GET', '/api/v1/trees/f43/versions')).status).toBe(404)
  })
})

test('files of a tree have the digests that are known', async () => {
  const body = await eventually(async () => {
    const answer = await ask('GET', '/api/v1/trees/f43/files?boot=only')
    expect(answer.body.items[2].sha256).toMatch(/^[0-9a-f]{64}$/)
    return answer.body
  })
  const paths = Object.keys(imagesOfTree({ version: '43' })).sort()
  expect(body.items.map(({ path }: { path: string }) => path)).toEqual(paths)
  expect(body.items[2]).toMatchObject({
    role: 'kernel',
    kind: 'file',
    expected: expect.stringMatching(/^sha256:/),
  })
  expect(body.items[2].expected).toBe(`sha256:${body.items[2].sha256}`)
  const top = await ask('GET', '/api/v1/trees/f43/files?folder=images')
  expect(top.body.items).toMatchObject([
    { path: 'images/install.img', role: 'stage2' },
    { path: 'images/pxeboot', kind: 'folder' },
  ])
  const above = await ask('GET', '/api/v1/trees/f43/files?folder=images/../../..')
  expect(above.body.items.map(({ path }: { path: string }) => path)).toEqual(['.treeinfo', 'images'])
  for (const folder of ['nothing', '%00', 'pxeboot/vmlinuz'])
    expect([400, 404]).toContain((await ask('GET', `/api/v1/trees/f43/files?folder=images/${folder}`)).status)
})
