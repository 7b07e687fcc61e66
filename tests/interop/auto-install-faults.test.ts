import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { App } from '../../server/app.ts'
import { makeToken } from '../support/api.ts'
import { httpOnly, portOf, quickApp } from '../support/app.ts'
import { treebootIn } from '../support/cli.ts'
import { requireRoot } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { mountSmallDisk } from '../support/small-disk.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/**
 * `auto: install` while the process is killed, or the disk is full, between the record, the file and the offer. A run tries six
 * of the calls. With EVERY_CALL it tries all, in about four minutes.
 */
const { EVERY_CALL } = process.env

const mac = '52:54:00:00:00:01'
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3731'
const name = 'auto-525400000001'
const config = `${httpOnly}limits: { min-free: 0 }
profiles:
  lab: { match: { mac-prefix: "52:54:00" }, auto: install, tree: fedora-40, template: lab.ks }
`

function folder(): string {
  const home = temporaryFolder()
  makeTree(join(home, 'trees/fedora-40'), { version: '40', checksums: false })
  writeBelow(home, 'kickstart-templates/lab.ks', 'clearpart --all\n# {{ report_url }}\n')
  writeBelow(home, 'config.yaml', config)
  return home
}

async function start(home: string): Promise<App> {
  const app = quickApp({ cwd: home, newStore: 'install', macAt: async () => mac })
  await app.start()
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'), 15_000)
  return app
}

/** What a machine gets: `install`, the reason for its own disk, or that there was no answer. */
async function boots(port: number): Promise<string> {
  const url = `http://127.0.0.1:${port}/boot/by/${mac}/${uuid}/pxelinux.cfg`
  const text = await fetch(url).then(
    async (response) => `${response.status} ${await response.text()}`,
    () => 'no answer',
  )
  return text.includes('LABEL install') ? 'install' : (/^SAY treeboot: (.*)$/m.exec(text)?.[1] ?? text)
}

const guests = (home: string): string[] =>
  existsSync(join(home, 'guests.d')) ? readdirSync(join(home, 'guests.d')) : []

async function killedAt(
  home: string,
  at: number,
): Promise<{ readonly said: string; readonly calls: number }> {
  const child = fork(join(import.meta.dirname, '../support/auto-install-child.ts'), [home, `${at}`, mac], {
    execArgv: ['--import', 'tsx'],
  })
  const { port } = await message<{ port: number }>(child)
  const said = await boots(port)
  if (child.signalCode !== null || !child.connected) return { said, calls: 0 }
  const ended = once(child, 'exit')
  const answered = message<{ calls: number }>(child)
  child.send('calls', () => undefined)
  const last = await Promise.race([answered, ended.then(() => undefined)])
  child.kill('SIGKILL')
  if (child.signalCode === null) await ended
  return { said, calls: last?.calls ?? 0 }
}

async function message<T>(child: ChildProcess): Promise<T> {
  const [told] = await once(child, 'message')
  return told as T
}

/** What the machine got, and what it gets from the next server. */
async function whatFollows(at: number): Promise<string> {
  const home = folder()
  const { said } = await killedAt(home, at)
  const hasFile = guests(home).includes(`${name}.yaml`)
  if (said === 'install') expect([at, hasFile]).toEqual([at, true])
  const app = await start(home)
  const after = await boots(portOf(app))
  await app.stop()
  // What was killed half way installs nothing, or goes on as if nothing had been.
  if (after !== 'install')
    expect([at, after]).toEqual([at, expect.stringContaining(`the store knows it as guest ${name}`)])
  if (hasFile) expect([at, after]).toEqual([at, 'install'])
  expect(guests(home).filter((file) => file.endsWith('.yaml')).length).toBeLessThanOrEqual(1)
  return `${said === 'no answer' ? 'killed' : said} ${after === 'install' ? 'install' : 'disk'}`
}

test('killed before each call that changes a file: no installer without record and file, no second guest', async () => {
  const { said, calls } = await killedAt(folder(), 0)
  expect(said).toBe('install')
  expect(calls).toBeGreaterThan(3)
  const step = EVERY_CALL ? 1 : Math.ceil(calls / 6)
  const seen: string[] = []
  for (let at = 1; at <= calls; at += step) seen.push(await whatFollows(at))
  expect(seen.filter((each) => each.startsWith('killed'))).not.toEqual([])
  if (EVERY_CALL) expect(seen).toEqual(expect.arrayContaining(['killed disk', 'killed install']))
}, 300_000)

test('a full disk below guests.d: the machine boots its disk until somebody makes it a guest', async () => {
  requireRoot()
  const home = folder()
  let app: App | undefined
  const disk = mountSmallDisk(join(home, 'guests.d'), async () => app?.stop())
  app = await start(home)
  disk.fillUp()
  // A loader asks again, and is then told to boot the disk.
  expect(await boots(portOf(app))).toContain('503 ')
  expect(await boots(portOf(app))).toContain(`the store knows it as guest ${name}`)
  disk.makeRoom()
  expect(guests(home)).toEqual([])
  expect(await boots(portOf(app))).toContain(`the store knows it as guest ${name}`)
  const problems = () => fetch(`http://127.0.0.1:${portOf(app as App)}/api/v1/problems`)
  expect(await (await problems()).text()).toContain(`treeboot guests add ${name} mac=${mac} profile=PROFILE`)
  expect(await treebootIn(home, 'guests', 'add', name, `mac=${mac}`, 'profile=lab')).toMatchObject({
    code: 0,
  })
  await app.reload()
  await eventually(async () => expect(await boots(portOf(app as App))).toBe('install'))
  expect(await (await problems()).text()).not.toContain('was not made a guest to the end')
})

test('a full disk below the store: nothing is written, and the machine is installed when there is room', async () => {
  requireRoot()
  const home = folder()
  let app: App | undefined
  const disk = mountSmallDisk(join(home, 'data'), async () => app?.stop())
  writeBelow(home, 'guests.d/web09.yaml', 'mac: 00:1b:21:00:00:09\ntree: fedora-40\n')
  app = await start(home)
  const token = await makeToken(app, 'operator')
  const headers = { authorization: `Bearer ${token}` }
  const hold = () =>
    fetch(`http://127.0.0.1:${portOf(app as App)}/api/v1/guests/web09/hold`, { method: 'POST', headers })
  // The first changes still fit, because the store gives space up.
  await eventually(async () => {
    disk.fillUp()
    expect((await hold()).status).toBeGreaterThanOrEqual(500)
  }, 15_000)
  for (let n = 0; n < 3; n++) expect(await boots(portOf(app))).not.toBe('install')
  expect(guests(home)).toEqual(['web09.yaml'])
  disk.makeRoom()
  await eventually(async () => expect(await boots(portOf(app as App))).toBe('install'), 15_000)
  expect(guests(home)).toContain(`${name}.yaml`)
  expect((await treebootIn(home, 'guests')).out).toContain(name)
})
