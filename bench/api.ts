/**
 * What ten thousand guests cost the API: `npm run bench -- api [guests]`.
 *
 * A server of its own on 127.0.0.1, in this process, with guests that are imported from a CSV file, each into a file of
 * `guests.d`. Measured are the import, one edit of a profile by the API until it is in force, another name for the
 * profile that all of them name, and a page of a hundred guests while fifty clients read. Aims on two quiet cores: 10 s, 1 s, and 20 ms for 99 of 100 pages.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type App, createApp } from '../server/app.ts'
import { runCli } from '../server/cli/program.ts'
import { isQuick, numberArgument } from './support/arguments.ts'
import { median } from './support/numbers.ts'

const count = numberArgument(0, { full: 10_000, quick: 2_000 })
const readers = 50
const pagesPerReader = isQuick ? 10 : 40
/** Files that were just written are read again each time: see `FileTexts`. */
const restMs = 2_500

const config = `server: { bind: 127.0.0.1 }
# All clients of this benchmark have one address.
http: { port: 0, requests-per-client: 1000 }
tftp: { enabled: false }
ftp: { enabled: false }
nfs: { enabled: false }
access: { anonymous: viewer }
`

const folder = mkdtempSync(join(tmpdir(), 'treeboot-bench-'))
try {
  await main(folder)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function main(cwd: string): Promise<void> {
  for (const name of ['trees', 'kickstart-templates', 'profiles.d']) mkdirSync(join(cwd, name))
  writeFileSync(join(cwd, 'config.yaml'), config)
  writeFileSync(join(cwd, 'profiles.d/web.yaml'), 'args: [quiet]\n')
  writeFileSync(join(cwd, 'hosts.csv'), `name,mac,profile\n${rows().join('\n')}\n`)
  await measured(`import of ${count} guests`, () => command(cwd, 'guests', 'import', 'hosts.csv'))
  const app = createApp({ cwd, version: 'bench' })
  await app.start()
  try {
    await measureServer(app)
  } finally {
    await app.stop()
  }
}

function rows(): string[] {
  return Array.from({ length: count }, (_, n) => {
    const hex = n.toString(16).padStart(6, '0')
    return `g${String(n).padStart(5, '0')},52:54:00:${hex.match(/../g)?.join(':')},web`
  })
}

async function command(cwd: string, ...args: string[]): Promise<void> {
  let said = ''
  const hear = (text: string): void => {
    said += text
  }
  const io = {
    out: hear,
    err: hear,
    ask: async () => undefined,
    askSecret: async () => undefined,
    exit: () => undefined,
    color: false,
    cwd,
    cacheFolder: async () => join(cwd, 'cache'),
  }
  const code = await runCli(args, io)
  if (code !== 0) throw new Error(`treeboot ${args.join(' ')} ended with ${code}: ${said}`)
}

async function measureServer(app: App): Promise<void> {
  const by = { account: 'bench', from: 'bench' }
  await app.accounts.addAccount({ name: 'bench', role: 'operator', password: 'a long password' }, by)
  const maker = { kind: 'account', account: 'bench', role: 'operator' } as const
  const { token } = await app.accounts.makeToken(maker, { name: 'bench', role: 'operator' })
  const port = app.serviceLines().find(({ name }) => name === 'http')?.port
  const ask = async (path: string, init: RequestInit = {}): Promise<void> => {
    const headers = { ...init.headers, authorization: `Bearer ${token}` }
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`, { ...init, headers })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    await response.arrayBuffer()
  }
  for (let round = 0; round < (isQuick ? 2 : 5); round++) {
    await pause(restMs)
    const patch: RequestInit = {
      method: 'PATCH',
      headers: { 'if-match': '*', 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ args: [`round=${round}`] }),
    }
    await measured('one edit of a profile, in force', () => ask('profiles/web/definition', patch))
  }
  await pause(restMs)
  await measured('another name for a profile that all guests name', () =>
    ask('profiles/web/rename', {
      method: 'POST',
      headers: { 'if-match': '*', 'content-type': 'application/json' },
      body: JSON.stringify({ to: 'web2' }),
    }),
  )
  await ask('guests?limit=100')
  const times: number[] = []
  const read = async (): Promise<void> => {
    for (let page = 0; page < pagesPerReader; page++) {
      const started = performance.now()
      await ask('guests?limit=100')
      times.push(performance.now() - started)
    }
  }
  await measured(`${readers * pagesPerReader} pages of 100 guests by ${readers} clients`, () =>
    Promise.all(Array.from({ length: readers }, read)),
  )
  const sorted = times.sort((a, b) => a - b)
  const late = sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN
  console.log(`  one page: median ${median(times).toFixed(1)} ms, 99 of 100 below ${late.toFixed(1)} ms`)
}

async function measured(title: string, work: () => Promise<unknown>): Promise<void> {
  const before = process.cpuUsage()
  const started = performance.now()
  await work()
  const ms = performance.now() - started
  const { user, system } = process.cpuUsage(before)
  console.log(`${title}: ${(ms / 1000).toFixed(2)} s, processor ${((user + system) / 1e6).toFixed(2)} s`)
}
