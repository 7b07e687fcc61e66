import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test, vi } from 'vitest'
import { type App, createApp } from '../../server/app.ts'
import { makeToken } from '../support/api.ts'
import { httpOnly } from '../support/app.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { mountSmallDisk, type SmallDisk } from '../support/small-disk.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** A data folder on a small disk of its own, which is filled up to the last byte and emptied again. */

const config = `${httpOnly}
limits: { min-free: 0 }
guests:
  web01: { mac: "52:54:00:aa:bb:01", tree: fedora-40 }
  web02: { mac: "52:54:00:aa:bb:02", tree: fedora-40 }
  web03: { mac: "52:54:00:aa:bb:03", tree: fedora-40, template: web.ks }
`

let home = ''
let app: App
let disk: SmallDisk
let url = ''
let token = ''

/** @param folder What of the home is on the small disk: `data`, or all. */
function prepare(folder: string): void {
  requireRoot()
  requireClient('curl')
  home = join(temporaryFolder(), 'home')
  if (folder !== '.') mkdirSync(home)
  disk = mountSmallDisk(join(home, folder), async () => app?.stop())
  makeTree(join(home, 'trees/fedora-40'), { version: '40', checksums: false })
  writeBelow(home, 'config.yaml', config)
  writeBelow(home, 'kickstart-templates/web.ks', '{{ report_url }}\n')
}

async function start(): Promise<void> {
  app = createApp({ cwd: home, version: 'test', newStore: 'install', settle: { quietMs: 100 } })
  await app.start()
  // Before the disk is full.
  token = await makeToken(app, 'operator')
  const http = app.serviceLines().find(({ name }) => name === 'http')
  url = `http://127.0.0.1:${http?.port}`
  await vi.waitFor(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), {
    timeout: 20_000,
  })
}

interface Reply {
  readonly status: number
  readonly headers: string
  readonly body: string
}

/** Not `execFileSync`: the server is in this process. */
async function curl(...args: string[]): Promise<Reply> {
  const { stdout } = await run('curl', ['-s', '-i', '--max-time', '20', ...args])
  const [headers = '', ...body] = stdout.split('\r\n\r\n')
  return { status: Number(headers.split(' ')[1]), headers, body: body.join('\r\n\r\n') }
}

const run = promisify(execFile)
/** A change with a body. */
const send = ([method, path, type, body]: readonly [string, string, string, string]): Promise<Reply> =>
  curl(
    ...['-X', method, '-H', `Authorization: Bearer ${token}`, '-H', 'If-Match: *'],
    ...['-H', `Content-Type: ${type}`, '--data-binary', body, `${url}/api/v1/${path}`],
  )
const post = (path: string): Promise<Reply> =>
  curl('-X', 'POST', '-H', `Authorization: Bearer ${token}`, `${url}/api/v1/guests/${path}`)
const stateOf = async (guest: string): Promise<string> =>
  JSON.parse((await curl(`${url}/api/v1/guests/${guest}`)).body).state
const boots = async (guest: string): Promise<string> => (await curl(`${url}/boot/${guest}/ipxe`)).body
/** Fills the disk until a change of this guest cannot be stored. */
const refusal = (path: string): Promise<Reply> =>
  vi.waitFor(
    async () => {
      disk.fillUp()
      const reply = await post(path)
      expect(reply.status).toBe(503)
      return reply
    },
    { timeout: 20_000, interval: 200 },
  )

test('a full disk makes no installed machine install again, and loses no report that was taken', async () => {
  prepare('data')
  await start()
  expect(await boots('web02')).toContain('vmlinuz')
  expect(existsSync(join(home, 'data/ballast'))).toBe(true)

  // The ballast is there for the first report.
  disk.fillUp()
  expect((await post('web01/installed')).status).toBe(204)
  expect(existsSync(join(home, 'data/ballast'))).toBe(false)

  expect((await refusal('web02/installed')).headers).toMatch(/^retry-after: \d+/im)
  // In force at once, although it is not stored.
  expect(await stateOf('web02')).toBe('installed')
  expect(await boots('web02')).toContain('web02 is installed since')
  // Nothing begins that could not be remembered, and no order is taken that could be forgotten. What the server was writing
  // beside gives its room back when it fails, and then the store can be written for a moment: hence more than one try.
  await vi.waitFor(async () => {
    await refusal('web03/install')
    expect(await boots('web03')).toMatch(/web03 is not installed now: the store cannot be written/)
    expect((await curl(`${url}/readyz`)).status).toBe(503)
  }, 20_000)
  expect(await stateOf('web01')).toBe('installed')

  disk.makeRoom()
  await vi.waitFor(async () => expect((await curl(`${url}/readyz`)).status).toBe(200), { timeout: 10_000 })
  expect((await post('web02/installed')).status).toBe(204)
  await app.stop()
  await start()
  for (const [guest, state] of [
    ['web01', 'installed'],
    ['web02', 'installed'],
    ['web03', 'install'],
  ] as const)
    expect(await stateOf(guest)).toBe(state)
  expect(await boots('web03')).toContain('vmlinuz')
})

test('what was in force when the server stopped on a full disk is stored when there is room again', async () => {
  prepare('data')
  await start()
  disk.fillUp()
  rmSync(join(home, 'data/ballast'), { force: true })
  await refusal('web02/local')
  disk.makeRoom()
  await app.stop()
  await start()
  expect(await stateOf('web02')).toBe('local')
})

test('a server starts on a full disk by its ballast, and says what is wrong without one', async () => {
  prepare('data')
  await start()
  expect((await post('web01/local')).status).toBe(200)
  await app.stop()
  expect(existsSync(join(home, 'data/ballast'))).toBe(true)
  disk.fillUp()
  await start()
  expect(await stateOf('web01')).toBe('local')
  expect(existsSync(join(home, 'data/ballast'))).toBe(false)

  await app.stop()
  disk.fillUp()
  await expect(start()).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringMatching(/the disk of .*\/data is full/),
  })
})

test('an order and its line in the audit share the ballast, and no order is answered by a fault', async () => {
  prepare('data')
  await start()
  disk.fillUp()
  expect((await post('web01/hold')).status).toBe(200)
  expect(existsSync(join(home, 'data/ballast'))).toBe(false)
  expect(await stateOf('web01')).toBe('held')
  const { body, headers } = await refusal('web02/hold')
  expect(headers).toMatch(/^content-type: application\/problem\+json/im)
  expect(JSON.parse(body).message).toMatch(/full/)
  // In force at once, as every change that leads to the disk.
  expect(await stateOf('web02')).toBe('held')
  disk.makeRoom()
  await vi.waitFor(async () => expect((await post('web02/hold')).status).toBe(200), { timeout: 10_000 })
  const lines = []
  for await (const { action, target } of app.accounts.audit.export()) lines.push(`${action} ${target}`)
  expect(lines).toEqual(expect.arrayContaining(['guests.hold web01', 'guests.hold web02']))
})

test('a full disk leaves nothing of what is written through the API', async () => {
  prepare('.')
  writeBelow(home, 'guests.d/edited.yaml', 'args: [old]\n')
  writeBelow(home, 'profiles.d/lab.yaml', 'args: [old]\n')
  writeBelow(home, 'guests.d/user.yaml', 'profile: lab\n')
  await start()
  const seen = () =>
    ['guests.d', 'profiles.d', 'kickstart-templates'].flatMap((folder) =>
      readdirSync(join(home, folder)).map((name) => [name, readFileSync(join(home, folder, name), 'utf8')]),
    )
  const before = seen()
  const rows = Array.from({ length: 200 }, (_, i) => `n${i},52:54:00:bb:00:${(i + 16).toString(16)}`)
  const json = 'application/json'
  const changes = [
    ['POST', 'imports/guests', 'text/plain', `name,mac\n${rows.join('\n')}\n`],
    ['POST', 'guests', json, '{"name":"new","definition":{"mac":"52:54:00:aa:bb:77"}}'],
    ['PATCH', 'guests/edited/definition', 'application/merge-patch+json', '{"args":["new"]}'],
    ['POST', 'profiles/lab/rename', json, '{"to":"lab2"}'],
    ['PUT', 'templates/web.ks', 'text/plain', '{{ report_url }} again\n'],
    ['POST', 'tokens', json, '{"name":"made","role":"viewer"}'],
  ] as const
  for (const change of changes) {
    disk.fillUp()
    rmSync(join(home, 'data/ballast'), { force: true })
    disk.fillUp()
    const { status, headers, body } = await send(change)
    expect(`${change[1]}: ${status} ${body}`).toMatch(/: 503 .*(full|space)/s)
    expect(headers).toMatch(/^content-type: application\/problem\+json/im)
    expect(seen(), change[1]).toEqual(before)
  }
  disk.makeRoom()
  for (const change of changes) {
    const { status, body } = await send(change)
    expect(`${change[1]}: ${status} ${body}`).toMatch(/: 20\d/)
  }
})
