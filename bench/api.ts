/**
 * What ten thousand guests cost the API: `npm run bench -- api [guests]`.
 *
 * A server as compiled, in a process of its own on 127.0.0.1, with guests that are imported from a CSV file, each into a
 * file of `guests.d`. Measured are the import, one edit of a profile by the API until it is in force, another name for the
 * profile that all of them name, and a page of a hundred guests while fifty clients read without a pause. Aims on two quiet
 * cores: 10 s, 1 s, and 20 ms for 99 of 100 pages.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { findClient } from '../tests/support/clients.ts'
import { isQuick, numberArgument } from './support/arguments.ts'
import { type ApiServer, startApiServer } from './support/children.ts'
import { processorSeconds } from './support/processes.ts'

const count = numberArgument(0, { full: 10_000, quick: 2_000 })
const run = promisify(execFile)
const program = join(import.meta.dirname, '../dist/server/main.js')
const readers = 50
const readSeconds = isQuick ? 2 : 10
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
  await importGuests(cwd)
  const server = await startApiServer(cwd, readers)
  try {
    await measureChanges(server)
    await readPages(server, cwd)
  } finally {
    await server.stop()
  }
}

function rows(): string[] {
  return Array.from({ length: count }, (_, n) => {
    const hex = n.toString(16).padStart(6, '0')
    return `g${String(n).padStart(5, '0')},52:54:00:${hex.match(/../g)?.join(':')},web`
  })
}

async function importGuests(cwd: string): Promise<void> {
  const started = performance.now()
  await run(process.execPath, [program, 'guests', 'import', 'hosts.csv'], { cwd, maxBuffer: 2 ** 26 })
  console.log(`import of ${count} guests: ${((performance.now() - started) / 1000).toFixed(2)} s`)
}

async function measureChanges({ url, tokens, pid }: ApiServer): Promise<void> {
  const ask = async (path: string, init: RequestInit = {}): Promise<void> => {
    const headers = { ...init.headers, authorization: `Bearer ${tokens[0]}` }
    const response = await fetch(`${url}/api/v1/${path}`, { ...init, headers })
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
    await measured('one edit of a profile, in force', pid, () => ask('profiles/web/definition', patch))
  }
  await pause(restMs)
  await measured('another name for a profile that all guests name', pid, () =>
    ask('profiles/web/rename', {
      method: 'POST',
      headers: { 'if-match': '*', 'content-type': 'application/json' },
      body: JSON.stringify({ to: 'web2' }),
    }),
  )
}

/** wrk sends the header of each token in turn. */
async function readPages({ url, tokens, pid }: ApiServer, cwd: string): Promise<void> {
  const wrk = findClient('wrk')
  if (!wrk) throw new Error('wrk is missing: apt-get install wrk')
  const script = join(cwd, 'tokens.lua')
  const headers = tokens.map((token) => `"Bearer ${token}"`)
  writeFileSync(
    script,
    `local tokens = { ${headers.join(', ')} }
local next = 0
function request()
  next = next % #tokens + 1
  return wrk.format("GET", nil, { Authorization = tokens[next] })
end
`,
  )
  const page = `${url}/api/v1/guests?limit=100`
  const load = async (seconds: number): Promise<string> => {
    const args = ['-t1', `-c${readers}`, `-d${seconds}`, '--latency', '-s', script, page]
    const { stdout } = await run(wrk, args)
    if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`${page}: ${stdout}`)
    return stdout
  }
  await load(2) // the first pages warm up
  await measured(`pages of 100 guests by ${readers} clients`, pid, async () => {
    const said = await load(readSeconds)
    const [rate, half, late] = [/Requests\/sec:\s*(\S+)/, /50%\s*(\S+)/, /99%\s*(\S+)/].map(
      (form) => form.exec(said)?.[1],
    )
    console.log(`  ${rate} pages/s; one page: median ${half}, 99 of 100 below ${late}`)
  })
}

async function measured(title: string, pid: number, work: () => Promise<unknown>): Promise<void> {
  const before = processorSeconds(pid)
  const started = performance.now()
  await work()
  const seconds = (performance.now() - started) / 1000
  const processor = processorSeconds(pid) - before
  console.log(`${title}: ${seconds.toFixed(2)} s, processor ${processor.toFixed(2)} s`)
}
