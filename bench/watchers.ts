/**
 * What two hundred watchers cost a machine that boots: `npm run bench -- watchers [pairs]`.
 *
 * A server as compiled, in a process of its own on 127.0.0.1. A machine boots by curl at the rate of its network: script,
 * kernel and initrd, stage 2, answer file, and two hundred packages. Each pair has a boot while nobody watches and one while
 * two hundred streams of `GET /api/v1/events` are read; the order alternates. The figure is the time with divided by the time
 * without: the mean of the pairs, and its 95 % interval.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { treeinfoText } from '../tests/support/made-tree.ts'
import { numberArgument } from './support/arguments.ts'
import { type ApiServer, startApiServer } from './support/children.ts'
import { meanRatio, median } from './support/numbers.ts'

const run = promisify(execFile)
const pairs = numberArgument(0, { full: 10, quick: 3 })
const watchers = 200
const packages = 200
/** Bytes a second: what gigabit Ethernet carries. */
const networkRate = '117M'
/** The recorder tells its news four times a second. */
const newsMs = 500

const config = `server: { bind: 127.0.0.1 }
http: { port: 0, requests-per-client: 1000 }
tftp: { enabled: false }
ftp: { enabled: false }
nfs: { enabled: false }
guests:
${Array.from({ length: 2 * pairs + 2 }, (_, n) => `  web${n}: { mac: "${macOf(n)}", tree: fedora-40, template: web.ks }`).join('\n')}
`

const folder = mkdtempSync(join(tmpdir(), 'treeboot-bench-'))
let server: ApiServer | undefined
try {
  makeHome(folder)
  server = await startApiServer(folder, watchers)
  await untilReady(server)
  await measure(server)
} finally {
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
}

function macOf(guest: number): string {
  return `52:54:00:aa:bb:${guest.toString(16).padStart(2, '0')}`
}

function makeHome(cwd: string): void {
  const files: Readonly<Record<string, string | Buffer>> = {
    'config.yaml': config,
    'kickstart-templates/web.ks': '# {{ guest.name }}\n',
    'trees/fedora-40/.treeinfo': treeinfoText({ checksums: false }),
    'trees/fedora-40/images/pxeboot/vmlinuz': randomBytes(12 << 20),
    'trees/fedora-40/images/pxeboot/initrd.img': randomBytes(64 << 20),
    'trees/fedora-40/images/install.img': randomBytes(256 << 20),
    'trees/fedora-40/Packages/p.rpm': randomBytes(200_000),
  }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(cwd, path, '..'), { recursive: true })
    writeFileSync(join(cwd, path), content)
  }
}

async function untilReady({ url, tokens: [token] }: ApiServer): Promise<void> {
  const headers = { authorization: `Bearer ${token}` }
  for (;;) {
    const tree = await fetch(`${url}/api/v1/trees/fedora-40`, { headers })
    if (tree.ok && ((await tree.json()) as { state: string }).state === 'ready') return
    await pause(200)
  }
}

async function measure(serving: ApiServer): Promise<void> {
  console.log(`${cpus().length} cores, Node ${process.version}, ${pairs} pairs`)
  const seconds = { without: [] as number[], with: [] as number[] }
  let guest = 0
  let events = 0
  for (let pair = 0; pair <= pairs; pair++) {
    const order = pair % 2 === 0 ? (['without', 'with'] as const) : (['with', 'without'] as const)
    for (const mode of order) {
      const streams = mode === 'with' ? await watch(serving) : undefined
      const took = await boot(serving.url, guest++)
      events += streams?.stop() ?? 0
      if (pair > 0) seconds[mode].push(took) // the first pair warms up
      await pause(newsMs)
    }
  }
  const { mean, low, high } = meanRatio(seconds.with, seconds.without)
  console.log(
    `a boot: nobody watches ${median(seconds.without).toFixed(3)} s, ${watchers} watchers ${median(seconds.with).toFixed(3)} s`,
  )
  console.log(
    `  with / without ${mean.toFixed(3)} (95 %: ${low.toFixed(3)} to ${high.toFixed(3)}); ${events} events were read`,
  )
}

/** Resolves to the seconds that the machine took for all that it fetched. */
async function boot(url: string, guest: number): Promise<number> {
  const tree = `${url}/trees/fedora-40`
  const files = [
    `${url}/boot/by/${macOf(guest).replaceAll(':', '-')}/ipxe`,
    `${tree}/images/pxeboot/vmlinuz`,
    `${tree}/images/pxeboot/initrd.img`,
    `${tree}/.treeinfo`,
    `${tree}/images/install.img`,
    `${url}/ks/web${guest}`,
    ...Array.from({ length: packages }, () => `${tree}/Packages/p.rpm`),
  ]
  const started = performance.now()
  await run('curl', [
    '--silent',
    '--show-error',
    '--fail',
    '--limit-rate',
    networkRate,
    ...files.flatMap((file) => ['-o', '/dev/null', file]),
  ])
  return (performance.now() - started) / 1000
}

/** Opens the streams, each with a token of its own. `stop` says how many events were read. */
async function watch({ url, tokens }: ApiServer): Promise<{ stop(): number }> {
  let events = 0
  const open = (token: string): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` }
      const req = request(`${url}/api/v1/events`, { headers, agent: false }, (res) => {
        if (res.statusCode !== 200) return reject(new Error(`a stream was answered with ${res.statusCode}`))
        res.setEncoding('utf8')
        res.on('data', (text: string) => {
          events += text.split('\nid:').length - 1
        })
        res.on('error', () => undefined)
        resolve(res)
      })
      req.on('error', reject)
      req.end()
    })
  const streams = await Promise.all(tokens.map(open))
  return {
    stop: () => {
      for (const stream of streams) stream.destroy()
      return events
    },
  }
}
