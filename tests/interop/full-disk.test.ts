import { execFile } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, expect, test, vi } from 'vitest'
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

beforeEach(() => {
  requireRoot()
  requireClient('curl')
  home = temporaryFolder()
  disk = mountSmallDisk(join(home, 'data'), async () => app?.stop())
  makeTree(join(home, 'trees/fedora-40'), { version: '40', checksums: false })
  writeBelow(home, 'config.yaml', config)
  writeBelow(home, 'kickstart-templates/web.ks', '{{ report_url }}\n')
})

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
