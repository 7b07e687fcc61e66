/**
 * The TFTP service beside tftpd-hpa, dnsmasq and atftpd.
 *
 * Run as root: `npm run bench -- tftp [rounds] [part of a cell's name]`.
 *
 * The peers are tftpd-hpa, dnsmasq and atftpd as Debian builds them, our service with system calls
 * ("treeboot"), and our service with Node's sockets ("node"). Each runs in its own process on 127.0.0.1, and
 * one load client is used for all. The rounds are interleaved; ratios are medians over the rounds. dnsmasq
 * uses port 69 only, hence root. atftpd cannot be installed beside tftpd-hpa, so its package is fetched and
 * unpacked. tftpd-hpa and dnsmasq do not implement windowsize: they send one block at a time.
 */
import { type ChildProcess, execFile, fork, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findClient } from '../tests/support/clients.ts'
import { freeUdpPort } from '../tests/support/free-port.ts'
import { isQuick, numberArgument, wordArgument } from './support/arguments.ts'
import { median, ratios } from './support/numbers.ts'

const run = promisify(execFile)
const rounds = numberArgument(0, { full: 3, quick: 1 })
const only = wordArgument(1) ?? (isQuick ? 'blksize 1408' : '')

interface Peer {
  readonly name: string
  readonly port: number
  readonly process: ChildProcess
}

interface Cell {
  readonly title: string
  readonly file: string
  readonly blksize: number
  readonly window: number
  readonly clients: number
  readonly requests: number
}

/** The result of one round. `rate` is in octets a second, for small files in files a second. */
interface Measured {
  readonly rate: number
  readonly octets: number
  readonly cpuS: number
  readonly failed: number
}

const ours = 'treeboot'
const oursOnNode = 'node'

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'treeboot-bench-'))
  await chmod(folder, 0o755) // tftpd-hpa reads as nobody
  const root = join(folder, 'root')
  await mkdir(root)
  await writeFile(join(root, 'large'), randomBytes(16 * 1024 * 1024))
  await writeFile(join(root, 'piece'), randomBytes(1024 * 1024))
  await writeFile(join(root, 'small'), randomBytes(600))
  const peers: Peer[] = []
  try {
    const client = await buildClient(folder)
    peers.push(await startOurs(ours, 'required', root), await startOurs(oursOnNode, 'off', root))
    for (const start of [startHpa, startDnsmasq, startAtftpd]) {
      const peer = await start(root, folder)
      if (peer) peers.push(peer)
    }
    for (const cell of cells().filter((one) => one.title.includes(only)))
      await measureCell(client, cell, peers)
  } finally {
    for (const peer of peers) peer.process.kill('SIGTERM')
    await rm(folder, { recursive: true })
  }
}

function cells(): Cell[] {
  const one: Cell[] = []
  const fifty: Cell[] = []
  for (const blksize of [512, 1408, 1468])
    for (const window of [1, 4, 16]) {
      const options = { blksize, window }
      const title = `blksize ${blksize}, window ${window}`
      one.push({ title: `1 client, ${title}`, file: 'large', ...options, clients: 1, requests: 1 })
      fifty.push({ title: `50 clients, ${title}`, file: 'piece', ...options, clients: 50, requests: 100 })
    }
  const small: Cell = {
    title: '1,000 small files, 4 clients',
    file: 'small',
    blksize: 1408,
    window: 1,
    clients: 4,
    requests: 1000,
  }
  return [...one, ...fifty, small]
}

type Results = ReadonlyMap<string, readonly Measured[]>

async function measureCell(client: string, cell: Cell, peers: readonly Peer[]): Promise<void> {
  const results = new Map<string, Measured[]>(peers.map((peer) => [peer.name, []]))
  for (let round = 0; round < rounds; round++)
    for (const peer of peers) results.get(peer.name)?.push(await measure(client, cell, peer))
  const ourRatios = [ours, oursOnNode].map((name) => ratioToBest(name, results))
  const figures = peers.map(({ name }) => figuresOf(name, results.get(name) ?? [], cell))
  console.log(`| ${[cell.title, ...ourRatios, ...figures].join(' | ')} |`)
}

/** The rate of one of our services as a multiple of the best peer's rate. */
function ratioToBest(name: string, results: Results): string {
  const mine = results.get(name) ?? []
  const rivals = [...results].filter(([rival]) => rival !== ours && rival !== oursOnNode)
  if (rivals.length === 0) return '-'
  return Math.min(...rivals.map(([, theirs]) => median(ratios(rates(mine), rates(theirs))))).toFixed(2)
}

/** One server's column: MB/s, or files/s for small files, and its CPU time. */
function figuresOf(name: string, rounds: readonly Measured[], cell: Cell): string {
  const small = cell.file === 'small'
  const rate = median(rates(rounds))
  const gib = sum(rounds.map((one) => one.octets)) / 2 ** 30
  const cpuS = sum(rounds.map((one) => one.cpuS))
  // tftpd-hpa does not wait for its children, so the kernel counts their time for no process.
  const cpu = small || name === 'tftpd-hpa' ? '' : `, ${(cpuS / gib).toFixed(1)} s/GiB`
  const failed = sum(rounds.map((one) => one.failed))
  const failures = failed > 0 ? ` (${failed} FAILED)` : ''
  return `${name} ${small ? Math.round(rate) : (rate / 1e6).toFixed(0)}${cpu}${failures}`
}

async function measure(client: string, cell: Cell, peer: Peer): Promise<Measured> {
  const { file, blksize, window, clients, requests } = cell
  const args = [peer.port, file, blksize, window, clients, requests].map(String)
  const before = await cpuSeconds(peer.process.pid ?? 0)
  // The client exits with 1 when a transfer failed; its output still has the number.
  const { stdout } = await run(client, args).catch((error: { stdout: string }) => error)
  const [seconds = 1, octets = 0, completed = 0, failed = 0] = stdout.trim().split(' ').map(Number)
  const cpuS = (await cpuSeconds(peer.process.pid ?? 0)) - before
  return { rate: (file === 'small' ? completed : octets) / seconds, octets, cpuS, failed }
}

/**
 * User and system time of a process, its threads and the children it has waited for (proc(5), fields 14 to
 * 17, in ticks of 1/100 s).
 */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // Field 2, the name in parentheses, may hold spaces: so from field 3 on.
  const fieldsFrom3 = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return sum(fieldsFrom3.slice(14 - 3, 18 - 3).map(Number)) / 100
}

async function buildClient(folder: string): Promise<string> {
  const program = join(folder, 'tftp-load')
  await run('cc', ['-O2', '-o', program, join(import.meta.dirname, 'clients/tftp-load.c')])
  return program
}

/** Not by `forkServer`, which does not give the process whose CPU time is measured. */
async function startOurs(name: string, native: string, root: string): Promise<Peer> {
  const child = fork(join(import.meta.dirname, 'peers/tftp.ts'), [native, root], {
    execArgv: ['--import', 'tsx'],
  })
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)))
    child.once('exit', () => reject(new Error(`${name} did not start`)))
  })
  return { name, port, process: child }
}

async function startHpa(root: string): Promise<Peer | undefined> {
  const program = findClient('in.tftpd')
  if (!program) return absent('tftpd-hpa')
  const port = await freeUdpPort()
  return launched('tftpd-hpa', port, program, ['--listen', '-L', '-a', `127.0.0.1:${port}`, '--secure', root])
}

async function startDnsmasq(root: string): Promise<Peer | undefined> {
  const program = findClient('dnsmasq')
  if (!program) return absent('dnsmasq')
  const options = [
    '-k',
    '-p0',
    '-C/dev/null',
    '--enable-tftp',
    `--tftp-root=${root}`,
    '--tftp-max=200',
    '--pid-file=',
  ]
  const where = ['--listen-address=127.0.0.1', '--bind-interfaces', '--user=root', '--log-facility=/dev/null']
  return launched('dnsmasq', 69, program, [...options, ...where])
}

async function startAtftpd(root: string, folder: string): Promise<Peer | undefined> {
  const into = join(folder, 'atftpd')
  try {
    await mkdir(into)
    await run('apt-get', ['download', 'atftpd'], { cwd: into })
    const [name = ''] = (await readdir(into)).filter((one) => one.endsWith('.deb'))
    await run('dpkg', ['-x', join(into, name), into])
  } catch {
    return absent('atftpd')
  }
  const port = await freeUdpPort()
  const options = ['--daemon', '--no-fork', '--port', String(port), '--bind-address', '127.0.0.1']
  const more = ['--maxthread', '200', '--user', 'root.root', '--logfile', '/dev/null']
  return launched('atftpd', port, join(into, 'usr/sbin/atftpd'), [...options, ...more, root])
}

async function launched(
  name: string,
  port: number,
  program: string,
  args: string[],
): Promise<Peer | undefined> {
  const child = spawn(program, args, { stdio: 'ignore' })
  await new Promise((resolve) => setTimeout(resolve, 500))
  return child.exitCode === null ? { name, port, process: child } : absent(name, 'did not start')
}

function absent(name: string, why = 'is not installed'): undefined {
  console.log(`${name} ${why}: no ratios to it`)
}

function rates(rounds: readonly Measured[]): number[] {
  return rounds.map((one) => one.rate)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0)
}

console.log('| cell | treeboot / best peer | node / best peer | MB/s (files/s), CPU seconds per GiB |')
await main()
