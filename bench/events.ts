/**
 * What timelines of boots cost HTTP and TFTP at full load: `npm run bench -- events [pairs] [seconds] [part of a title]`.
 *
 * One server of our own in a process of its own on 127.0.0.1, with a store on the disk, whose recorder of boots is switched on
 * and off: two processes differ by more than what is measured. Each pair measures both in slices of a second, in the order
 * ABBA, so what else the machine does falls on both alike. The figures are what a request costs with divided by what it
 * costs without, in processor time of the server and in time: the mean of the pairs, and its 95 % interval (Student's t on
 * the logarithms). What the recorder writes after a slice counts for the slice. Processor time says more on a machine that
 * does other things, too. The client is a machine that boots, so each request belongs to a timeline: clients of a mirror
 * cost less.
 */
import { execFile, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findClient } from '../tests/support/clients.ts'
import { numberArgument, wordArgument } from './support/arguments.ts'
import { stopChild } from './support/children.ts'
import { meanRatio, median } from './support/numbers.ts'
import { processorSeconds } from './support/processes.ts'

const run = promisify(execFile)
const pairs = numberArgument(0, { full: 10, quick: 4 })
const seconds = numberArgument(1, { full: 6, quick: 2 })
/** About what two cores transfer: fewer files are over before processor time is counted in more than ticks. */
const filesPerSecond = 3000

interface Server {
  readonly http: number
  readonly tftp: number
  readonly pid: number
  /** Resolves once it is so, and all that waited is written. */
  switchTo(mode: Mode): Promise<void>
  stop(): Promise<void>
}

/** One load, in units a second. */
interface Case {
  readonly title: string
  readonly unit: string
  measure(server: Server): Promise<Measured>
}

interface Measured {
  /** Units a second. */
  readonly rate: number
  readonly count: number
}

async function main(): Promise<void> {
  const wrk = findClient('wrk')
  if (!wrk) throw new Error('wrk is missing: apt-get install wrk')
  const folder = await mkdtemp(join(tmpdir(), 'treeboot-bench-'))
  const root = join(folder, 'root')
  await mkdir(root)
  await writeFile(join(root, 'small.rpm'), randomBytes(2000))
  await writeFile(join(root, 'package.rpm'), randomBytes(200_000))
  await writeFile(join(root, 'initrd.img'), randomBytes(32 * 2 ** 20))
  await writeFile(join(root, 'piece.efi'), randomBytes(2 ** 18))
  let server: Server | undefined
  try {
    const tftpLoad = join(folder, 'tftp-load')
    await run('cc', ['-O2', '-o', tftpLoad, join(import.meta.dirname, 'clients/tftp-load.c')])
    server = await start(root, folder)
    console.log(`${cpus().length} cores, Node ${process.version}, ${pairs} pairs of ${seconds} s\n`)
    const http = (file: string, clients: number) => ({
      title: `HTTP ${file}, ${clients} clients`,
      unit: 'requests/s',
      measure: ({ http: port }: Server) => requests(wrk, clients, `http://127.0.0.1:${port}/${file}`),
    })
    const tftp: Case = {
      title: 'TFTP piece.efi, 50 clients, blksize 1468, window 4',
      unit: 'files/s',
      measure: ({ tftp: port }) => files(tftpLoad, port),
    }
    const cases = [http('small.rpm', 64), http('package.rpm', 16), http('initrd.img', 4), tftp]
    const wanted = cases.filter(({ title }) => title.includes(wordArgument(2) ?? ''))
    for (const each of wanted) await compare(each, server)
  } finally {
    await server?.stop()
    await rm(folder, { recursive: true })
  }
}

type Mode = 'without' | 'with'

interface Figures {
  /** In units a second. */
  readonly rates: number[]
  /** Processor seconds for each unit. */
  readonly costs: number[]
}

async function compare({ title, unit, measure }: Case, server: Server): Promise<void> {
  const figures: Record<Mode, Figures> = {
    without: { rates: [], costs: [] },
    with: { rates: [], costs: [] },
  }
  for (let pair = 0; pair <= pairs; pair++) {
    const sums = await measurePair(measure, server)
    if (pair === 0) continue // the first pair warms up
    for (const mode of ['without', 'with'] as const) {
      const { rate, count, processor } = sums[mode]
      figures[mode].rates.push(rate / seconds)
      figures[mode].costs.push(processor / count)
    }
  }
  const rates = [figures.without, figures.with].map((each) =>
    Math.round(median(each.rates)).toLocaleString('en'),
  )
  console.log(`${title}: without ${rates[0]} ${unit}, with ${rates[1]}`)
  console.log(`  processor time ${ratioText(meanRatio(figures.with.costs, figures.without.costs))}`)
  // Time is one divided by the rate.
  console.log(`  time           ${ratioText(meanRatio(figures.without.rates, figures.with.rates))}\n`)
}

/** Sums of as many slices of each mode as a pair has seconds. */
async function measurePair(measure: Case['measure'], server: Server) {
  const sums = { without: { rate: 0, count: 0, processor: 0 }, with: { rate: 0, count: 0, processor: 0 } }
  for (let slice = 0; slice < seconds; slice++) {
    const order = slice % 2 === 0 ? (['without', 'with'] as const) : (['with', 'without'] as const)
    for (const mode of order) {
      await server.switchTo(mode)
      const before = processorSeconds(server.pid)
      const { rate, count } = await measure(server)
      await server.switchTo('without')
      sums[mode].processor += processorSeconds(server.pid) - before
      sums[mode].rate += rate
      sums[mode].count += count
    }
  }
  return sums
}

function ratioText({ mean, low, high }: ReturnType<typeof meanRatio>): string {
  return `with / without ${mean.toFixed(3)} (95 %: ${low.toFixed(3)} to ${high.toFixed(3)})`
}

async function requests(wrk: string, clients: number, url: string): Promise<Measured> {
  const { stdout } = await run(wrk, ['-t1', `-c${clients}`, '-d1', '--timeout', '20', url])
  if (/Non-2xx|Socket errors: connect [1-9]/.test(stdout)) throw new Error(`${url}: ${stdout}`)
  const rate = Number(/Requests\/sec:\s*([\d.]+)/.exec(stdout)?.[1])
  return { rate, count: Number(/(\d+) requests in/.exec(stdout)?.[1]) }
}

async function files(client: string, port: number): Promise<Measured> {
  const count = String(filesPerSecond)
  const { stdout } = await run(client, [String(port), 'piece.efi', '1468', '4', '50', count])
  const [took = 1, , completed = 0] = stdout.trim().split(' ').map(Number)
  return { rate: completed / took, count: completed }
}

async function start(root: string, folder: string): Promise<Server> {
  const child = fork(join(import.meta.dirname, 'peers/events.ts'), [root, join(folder, 'data')])
  const ports = await new Promise<readonly number[]>((resolve, reject) => {
    const got: number[] = []
    const take = (message: unknown): void => {
      got.push(Number(message))
      if (got.length < 2) return
      child.off('message', take)
      resolve(got)
    }
    child.on('message', take)
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
  })
  const [http = 0, tftp = 0] = ports
  const switchTo = (mode: Mode): Promise<void> =>
    new Promise((resolve) => {
      child.once('message', () => resolve())
      child.send(mode)
    })
  return { http, tftp, pid: child.pid ?? 0, switchTo, stop: () => stopChild(child) }
}

await main()
