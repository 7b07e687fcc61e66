/**
 * The FTP service beside vsftpd, in one run: `npm run bench -- ftp [rounds] [MiB]`.
 *
 * One file from the page cache goes to 1, 4 and 16 clients at once, which read and discard it
 * (`bench/clients/ftp-fetch.c`). "treeboot" sends it with sendfile; "ring only" is the same service on a machine
 * without koffi. The servers run in processes of their own and are reached over 127.0.0.1.
 * Rounds are interleaved: the server that came first in one comes last in the next. Only ratios within a round
 * are meaningful. The last column shows how busy the machine was, as a check of the client: when it is below all
 * cores, something waited.
 */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findClient } from '../tests/support/clients.ts'
import { freePort } from '../tests/support/free-port.ts'
import { numberArgument } from './support/arguments.ts'
import { forkServer, stopChild, untilListening } from './support/children.ts'
import { median, range, ratios } from './support/numbers.ts'

const run = promisify(execFile)
const rounds = numberArgument(0, { full: 7, quick: 1 })
const mebibytes = numberArgument(1, { full: 1024, quick: 256 })
const clientCounts = [1, 4, 16]

interface Peer {
  readonly name: string
  readonly port: number
  stop(): Promise<void>
}

interface Measured {
  readonly megabytesPerSecond: number
  /** Share of all cores' time that was not idle. */
  readonly busy: number
}

async function main(): Promise<void> {
  const vsftpd = findClient('vsftpd')
  if (!vsftpd) throw new Error('vsftpd is missing: apt-get install vsftpd')
  const folder = await mkdtemp(join(tmpdir(), 'treeboot-bench-'))
  const root = join(folder, 'root')
  await mkdir(root)
  await chmod(folder, 0o755) // vsftpd reads as nobody
  await writeBig(join(root, 'big'))
  const fetch = join(folder, 'ftp-fetch')
  await run('cc', ['-O2', '-o', fetch, join(import.meta.dirname, 'clients/ftp-fetch.c')])
  const peers: Peer[] = []
  try {
    peers.push(await startVsftpd(vsftpd, folder, root), await startListener('treeboot', 'sendfile', root))
    peers.push(await startListener('ring only', 'ring', root))
    console.log(
      `${cpus().length} cores, Node ${process.version}, ${mebibytes} MiB, ${rounds} rounds, medians\n`,
    )
    for (const clients of clientCounts) await compare(fetch, peers, clients)
  } finally {
    for (const peer of peers) await peer.stop()
    await rm(folder, { recursive: true })
  }
}

async function writeBig(file: string): Promise<void> {
  const handle = await open(file, 'w', 0o644)
  for (let i = 0; i < mebibytes; i++) await handle.write(randomBytes(2 ** 20))
  await handle.close()
}

async function compare(fetch: string, peers: readonly Peer[], clients: number): Promise<void> {
  const results = new Map<Peer, Measured[]>(peers.map((peer) => [peer, []]))
  for (let round = 0; round <= rounds; round++)
    for (const peer of round % 2 === 0 ? peers : peers.toReversed()) {
      const measured = await measure(fetch, peer, clients)
      if (round > 0) results.get(peer)?.push(measured) // the first round warms up
    }
  const speeds = (values: readonly Measured[]) => values.map((value) => value.megabytesPerSecond)
  const [ofVsftpd = []] = results.values() // the first peer
  const base = speeds(ofVsftpd)
  console.log(`${clients} ${clients === 1 ? 'client' : 'clients'} (aim: 1.0 of vsftpd)`)
  for (const [peer, values] of results) {
    const shares = ratios(speeds(values), base)
    const speed = Math.round(median(speeds(values)))
      .toLocaleString('en')
      .padStart(7)
    const busy = Math.round(100 * median(values.map((value) => value.busy)))
    const share = median(shares).toFixed(2).padStart(6)
    console.log(`  ${peer.name.padEnd(10)}${speed} MB/s ${share} x  (${range(shares)})  ${busy} % busy`)
  }
  console.log('')
}

async function measure(fetch: string, peer: Peer, clients: number): Promise<Measured> {
  const before = coreTimes()
  const { stdout } = await run(fetch, [String(peer.port), String(clients), 'big'])
  const after = coreTimes()
  const megabytesPerSecond = (clients * mebibytes * 2 ** 20) / 1e6 / Number(stdout)
  return { megabytesPerSecond, busy: 1 - (after.idle - before.idle) / (after.all - before.all) }
}

function coreTimes(): { idle: number; all: number } {
  let idle = 0
  let all = 0
  for (const { times } of cpus()) {
    idle += times.idle
    all += times.user + times.nice + times.sys + times.idle + times.irq
  }
  return { idle, all }
}

async function startVsftpd(vsftpd: string, folder: string, root: string): Promise<Peer> {
  const port = await freePort()
  await mkdir(join(folder, 'empty'))
  const config = join(folder, 'vsftpd.conf')
  const lines = {
    listen: 'YES',
    listen_address: '127.0.0.1',
    listen_port: port,
    background: 'NO',
    anonymous_enable: 'YES',
    local_enable: 'NO',
    anon_root: root,
    secure_chroot_dir: join(folder, 'empty'),
    xferlog_enable: 'NO',
  }
  await writeFile(
    config,
    Object.entries(lines)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  const child = spawn(vsftpd, [config], { stdio: 'inherit' })
  await untilListening(port)
  return { name: 'vsftpd', port, stop: () => stopChild(child) }
}

async function startListener(name: string, kind: 'sendfile' | 'ring', root: string): Promise<Peer> {
  return { name, ...(await forkServer(join(import.meta.dirname, 'peers/ftp.ts'), [kind, root])) }
}

await main()
