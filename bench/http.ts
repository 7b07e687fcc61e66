/**
 * The HTTP service beside its peers, in one run: `npm run bench -- http [rounds]`.
 *
 * - nginx with what Debian's stock nginx.conf sets (sendfile, tcp_nopush, gzip on, access log, one worker a core);
 * - `express.static`, as most Node servers would do it;
 * - our service with its fast path, and its events made and counted.
 *
 * Each in its own process, on 127.0.0.1. The rounds are interleaved and only ratios of the same run mean anything.
 */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findClient } from '../tests/support/clients.ts'
import { freePort } from '../tests/support/free-port.ts'
import { numberArgument } from './support/arguments.ts'
import { forkServer, stopChild, untilListening } from './support/children.ts'
import { median, range, ratios } from './support/numbers.ts'

const run = promisify(execFile)
const rounds = numberArgument(0, { full: 5, quick: 2 })
const seconds = 2

interface Peer {
  readonly name: string
  readonly port: number
  stop(): Promise<void>
}

/** What is measured: a title, its unit, the aim against nginx, and one round of it. */
interface Case {
  readonly title: string
  readonly unit: string
  readonly aim: number
  measure(port: number): Promise<number>
}

async function main(): Promise<void> {
  const wrk = findClient('wrk')
  const nginx = findClient('nginx')
  if (!wrk) throw new Error('wrk is missing: apt-get install wrk')
  const folder = await mkdtemp(join(tmpdir(), 'treeboot-bench-'))
  const root = join(folder, 'root')
  await mkdir(root)
  await writeFile(join(root, '.treeinfo'), treeinfo)
  await writeFile(join(root, 'initrd.img'), randomBytes(64 * 1024 * 1024))

  const peers: Peer[] = []
  try {
    if (nginx) peers.push(await startNginx(nginx, folder, root))
    else console.log('nginx is missing (apt-get install nginx-light): no ratios to it')
    peers.push(
      await startNode('express.static', 'express', root),
      await startNode('treeboot', 'service', root),
    )
    const requests = async (port: number): Promise<number> =>
      Number(/Requests\/sec:\s*([\d.]+)/.exec(await load(wrk, 64, `http://127.0.0.1:${port}/.treeinfo`))?.[1])
    const bytes =
      (clients: number) =>
      async (port: number): Promise<number> =>
        transferOf(await load(wrk, clients, `http://127.0.0.1:${port}/initrd.img`))
    const cases: Case[] = [
      { title: '.treeinfo, 64 clients', unit: 'requests/s', aim: 0.6, measure: requests },
      { title: '64 MiB initrd, 1 client', unit: 'MB/s', aim: 1.2, measure: bytes(1) },
      { title: '64 MiB initrd, 16 clients', unit: 'MB/s', aim: 1.2, measure: bytes(16) },
    ]
    console.log(
      `${cpus().length} cores, Node ${process.version}, ${rounds} rounds of ${seconds} s each, medians\n`,
    )
    for (const each of cases) await compare(each, peers)
  } finally {
    for (const peer of peers) await peer.stop()
    await rm(folder, { recursive: true })
  }
}

/** The rounds of all peers in turn; the ratio is the median of the ratios of each round. */
async function compare({ title, unit, aim, measure }: Case, peers: readonly Peer[]): Promise<void> {
  const results = new Map<Peer, number[]>(peers.map((peer) => [peer, []]))
  for (let round = 0; round <= rounds; round++)
    for (const peer of peers) {
      const value = await measure(peer.port)
      if (round > 0) results.get(peer)?.push(value) // the first round warms up
    }
  // Without nginx, the ratios are to the first peer.
  const base = results.get(peers.find((peer) => peer.name === 'nginx') ?? (peers[0] as Peer)) ?? []
  console.log(`${title} (aim: ${aim} of nginx)`)
  for (const [peer, values] of results) {
    const shares = ratios(values, base)
    const value = Math.round(median(values)).toLocaleString('en').padStart(9)
    const share = median(shares).toFixed(2).padStart(5)
    console.log(`  ${peer.name.padEnd(16)}${value} ${unit.padEnd(12)}${share} x  (${range(shares)})`)
  }
  console.log('')
}

async function load(wrk: string, clients: number, url: string): Promise<string> {
  const { stdout } = await run(wrk, ['-t1', `-c${clients}`, `-d${seconds}`, '--timeout', '20', url])
  if (/Non-2xx|Socket errors: connect [1-9]/.test(stdout)) throw new Error(`${url}: ${stdout}`)
  return stdout
}

/** wrk's `Transfer/sec: 1.13GB`, in MB/s. It counts in powers of 1024. */
function transferOf(text: string): number {
  const [, value = '', unit = ''] = /Transfer\/sec:\s*([\d.]+)([KMG]?)B/.exec(text) ?? []
  const factors: Record<string, number> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }
  return (Number(value) * (factors[unit] ?? Number.NaN)) / 1e6
}

async function startNginx(nginx: string, folder: string, root: string): Promise<Peer> {
  const port = await freePort()
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (each) => `${each}_temp_path ${folder}/${each};`,
  )
  // As root, nginx would read as another user, who may not enter the temporary folder.
  const config = `
worker_processes auto;
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 768; }
http {
  sendfile on; tcp_nopush on; types_hash_max_size 2048;
  include /etc/nginx/mime.types; default_type application/octet-stream;
  access_log ${folder}/access.log;
  gzip on;
  ${temp.join(' ')}
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`
  await writeFile(join(folder, 'nginx.conf'), config)
  const child = spawn(nginx, ['-e', `${folder}/error.log`, '-c', `${folder}/nginx.conf`], {
    stdio: 'inherit',
  })
  await untilListening(port)
  return { name: 'nginx', port, stop: () => stopChild(child) }
}

async function startNode(name: string, kind: string, root: string): Promise<Peer> {
  return { name, ...(await forkServer(join(import.meta.dirname, 'peers/http.ts'), [kind, root])) }
}

const treeinfo = `[general]
family = Fedora
version = 40
arch = x86_64
variant = Server
platforms = x86_64,xen
packagedir = Packages
timestamp = 1713132000

[stage2]
mainimage = images/install.img

[images-x86_64]
kernel = images/pxeboot/vmlinuz
initrd = images/pxeboot/initrd.img
boot.iso = images/boot.iso

[images-xen]
kernel = images/pxeboot/vmlinuz
initrd = images/pxeboot/initrd.img

[checksums]
${['boot.iso', 'install.img', 'pxeboot/initrd.img', 'pxeboot/vmlinuz'].map((file) => `images/${file} = sha256:${'0123456789abcdef'.repeat(4)}`).join('\n')}
`

await main()
