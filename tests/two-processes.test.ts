import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { asking } from './support/api.ts'
import { httpOnly } from './support/app.ts'
import { builtFile } from './support/built-file.ts'
import { eventually } from './support/eventually.ts'
import { temporaryFolder, writeBelow } from './support/tree-folder.ts'

/** Two processes on one data folder and one folder of definitions. */

const run = promisify(execFile)

interface Served {
  readonly port: number
  readonly token: string
}

/** Starts a server: where it listens, or with what it ended. */
function startServer(cwd: string, ...token: string[]) {
  const child = fork(join(import.meta.dirname, 'support/app-child.ts'), [cwd, 'admin', ...token], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let said = ''
  child.stderr?.on('data', (piece) => {
    said += piece
  })
  const served = once(child, 'message').then(([message]) => message as Served)
  const refused = once(child, 'close').then(() => said)
  return { child, served, refused, outcome: Promise.race([served, refused]) }
}

const isServed = (outcome: Served | string): outcome is Served => typeof outcome !== 'string'
const guests = (names: readonly string[]) =>
  Object.fromEntries(names.map((name, i) => [`guests.d/${name}.yaml`, `mac: 52:54:00:aa:bb:0${i}\n`]))

function home(...names: string[]): string {
  const cwd = temporaryFolder()
  const files = { 'config.yaml': httpOnly, 'kickstart-templates/a.ks': '', ...guests(names) }
  for (const [name, text] of Object.entries(files)) writeBelow(cwd, name, text)
  return cwd
}

test('of two servers that start at once on one data folder, one serves, and the other says who does', async () => {
  const cwd = home('web')
  const servers = [startServer(cwd), startServer(cwd)]
  const outcomes = await Promise.all(servers.map(({ outcome }) => outcome))
  expect(outcomes.filter(isServed)).toHaveLength(1)
  const [first] = servers.filter((_, n) => isServed(outcomes[n] ?? ''))
  const refusal = outcomes.find((each) => !isServed(each))
  expect(refusal).toContain(`process ${first?.child.pid} (`)
  expect(refusal).toContain(join(cwd, 'config.yaml'))
  expect(refusal).toContain(`a treeboot server that uses ${join(cwd, 'data')} already; stop it, or choose`)
  // A killed server holds nothing.
  first?.child.kill('SIGKILL')
  await first?.refused
  expect(isServed(await startServer(cwd, 'of an earlier run').outcome)).toBe(true)
}, 60_000)

test('commands beside a server that changes the same guest lose no update, and neither do orders', async () => {
  const cwd = home('web')
  const file = join(cwd, 'guests.d/web.yaml')
  const { served } = startServer(cwd)
  const { port, token } = await served
  const api = asking(
    () => `http://127.0.0.1:${port}`,
    () => token,
  )
  const guest = '/api/v1/guests/web'
  const known = { cli: 0, api: 0 }
  let orders = 0
  /** Who alone writes a key finds in the file what was acknowledged last. */
  const inFile = (who: 'cli' | 'api') => parse(readFileSync(file, 'utf8')).vars?.[who] ?? 0
  const end = { is: false }
  const treeboot = (...args: string[]) =>
    run(process.execPath, [builtFile('server/main.ts'), ...args], { cwd })

  async function commands(): Promise<void> {
    for (let n = 1; n <= 6; n++) {
      await treeboot('guests', 'set', 'web', `vars.cli=${n}`)
      known.cli = n
      expect(inFile('cli')).toBe(n)
      await treeboot(n % 2 === 0 ? 'local' : 'hold', 'web')
    }
    end.is = true
  }
  async function requests(): Promise<void> {
    for (let n = 1; !end.is; n++) {
      expect(inFile('api')).toBe(known.api)
      const { headers } = await api('GET', `${guest}/definition`)
      const changed = await api('PATCH', `${guest}/definition`, {
        json: { vars: { api: n } },
        headers: { 'if-match': headers.get('etag') ?? '', 'content-type': 'application/merge-patch+json' },
      })
      expect([200, 409, 412], changed.text).toContain(changed.status)
      if (changed.status === 200) known.api = n
      if (n % 5 > 0) continue
      expect((await api('POST', `${guest}/install`)).status).toBe(200)
      orders++
    }
  }
  await Promise.all([commands(), requests()])
  expect({ cli: inFile('cli'), api: inFile('api') }).toEqual(known)
  expect(known.api).toBeGreaterThan(3)
  // What the command did is in force in the server, too.
  await eventually(async () => {
    const { body } = await api('GET', `${guest}/settings`)
    expect(body.items).toContainEqual(expect.objectContaining({ key: 'vars.cli', value: known.cli }))
  })
  // Each order to install counts, whatever the other process ordered in between.
  const { body } = await api('GET', `${guest}/story`)
  expect(body.items.at(-1).install).toBe(orders)
  expect(existsSync(join(cwd, 'data/definitions-journal.json'))).toBe(false)
}, 120_000)
