import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { build } from 'esbuild'
import type { WorkName } from './publishing-work.ts'

/** Runs `publishing-work.ts` under strace: to read its system calls, or to let one of them go wrong. */

/** The calls that change something, or make a change durable. Those that a processor lacks are left out by `?`. */
const traced = [
  ...['open', 'openat', 'creat', 'write', 'pwrite64', 'writev', 'pwritev', 'copy_file_range', 'sendfile'],
  ...['fsync', 'fdatasync', 'rename', 'renameat', 'renameat2', 'link', 'linkat', 'symlink', 'symlinkat'],
  ...[
    'unlink',
    'unlinkat',
    'mkdir',
    'mkdirat',
    'rmdir',
    'truncate',
    'ftruncate',
    'utimensat',
    'chmod',
    'fchmodat',
  ],
]

export interface SystemCall {
  /** Node makes synchronous calls in the main thread, and all others in the one thread of its pool. */
  readonly thread: 'main' | 'pool'
  readonly name: string
  /** Counts the calls of this name in this thread, also those that change nothing. */
  readonly index: number
  /** Its paths, without what differs in each run, such as process ids. */
  readonly paths: readonly string[]
  readonly changes: boolean
}

export interface Fault {
  readonly call: SystemCall
  readonly how: 'kill' | 'ENOSPC'
}

export interface TraceOptions {
  readonly child: TracedChild
  readonly home: string
  readonly work: WorkName
  readonly fault?: Fault
  /** As on a system that cannot exchange two names. */
  readonly withoutExchange?: boolean
}

export interface TracedChild {
  readonly file: string
  remove(): void
}

/** Makes one file of `publishing-child.ts` and what it imports: it starts in a quarter of the time. */
export async function bundleChild(): Promise<TracedChild> {
  const root = join(import.meta.dirname, '../..')
  const folder = mkdtempSync(join(tmpdir(), 'treeboot-traced-'))
  const file = join(folder, 'child.js')
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  await build({
    entryPoints: [join(import.meta.dirname, 'publishing-child.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  })
  return { file, remove: () => rmSync(folder, { recursive: true }) }
}

export interface TracedRun {
  readonly outcome: 'ended' | 'failed' | 'killed'
  /** What the process said that it had done. */
  readonly promises: readonly string[]
  readonly err: string
  /** Of the threads that were traced, in their order in time. */
  readonly calls: readonly SystemCall[]
}

export async function runTraced(options: TraceOptions): Promise<TracedRun> {
  const { home, work, fault } = options
  const child = spawn(process.execPath, [options.child.file, home, work], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close')
  const said = linesOf(child.stdout)
  const errors = linesOf(child.stderr)
  await said.first
  const pid = child.pid ?? 0
  const log = `${home}.trace`
  const tasks = readdirSync(`/proc/${pid}/task`).map(Number)
  const isMain = fault?.call.thread === 'main'
  const threads = fault ? tasks.filter((task) => (task === pid) === isMain || needsBoth(options)) : tasks
  const strace = spawn(
    'strace',
    [...straceArgs(options, log), ...threads.flatMap((each) => ['-p', `${each}`])],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const tracerEnded = once(strace, 'close')
  await attached(strace.stderr, threads.length)
  child.stdin.write('go\n')
  const [code, signal] = (await ended) as [number | null, string | null]
  await tracerEnded
  // A system call of Node's own event loop that fails ends the process, too.
  const outcome = signal === null ? (['ended', 'failed'] as const)[code === 0 ? 0 : 1] : 'killed'
  const calls = parseTrace(readFileSync(log, 'utf8'), { pid, home, isMain })
  return { outcome: outcome ?? 'failed', promises: said.lines.slice(1), err: errors.lines.join('\n'), calls }
}

/** Whether a call of the main thread must fail for the run, while another thread has the fault. */
function needsBoth({ withoutExchange = false, fault }: TraceOptions): boolean {
  return withoutExchange && fault?.call.thread === 'pool'
}

function straceArgs({ fault, withoutExchange }: TraceOptions, log: string): string[] {
  const args = ['-y', '-s', '8', '-o', log, '-e', `trace=${traced.map((name) => `?${name}`).join(',')}`]
  if (withoutExchange) args.push('-e', 'inject=renameat2:error=ENOSYS')
  if (fault) {
    const { call, how } = fault
    const what = how === 'kill' ? 'signal=SIGKILL' : `error=${how}`
    args.push('-e', `inject=${call.name}:${what}:when=${call.index}`)
  }
  return args
}

/** Resolves when the tracer has attached to all threads. */
async function attached(stderr: Readable, threads: number): Promise<void> {
  let count = 0
  let text = ''
  for await (const line of createInterface(stderr)) {
    text += `${line}\n`
    if (/^strace: Process \d+ attached/.test(line)) count++
    if (count === threads) {
      stderr.resume()
      return
    }
  }
  throw new Error(`strace did not attach: ${text}`)
}

function linesOf(stream: Readable): { readonly lines: string[]; readonly first: Promise<unknown> } {
  const lines: string[] = []
  const reader = createInterface(stream)
  const first = Promise.race([once(reader, 'line'), once(reader, 'close')])
  reader.on('line', (line) => lines.push(line))
  return { lines, first }
}

interface TraceContext {
  readonly pid: number
  readonly home: string
  /** Whether only the main thread was traced: then no line begins with the id of its thread. */
  readonly isMain: boolean
}

/** The calls of a log of strace. A call that was interrupted by another thread's stands in two lines. */
function parseTrace(text: string, { pid, home, isMain }: TraceContext): SystemCall[] {
  const counts = new Map<string, number>()
  const calls: SystemCall[] = []
  for (const line of text.split('\n')) {
    const [, task, name, rest = ''] = /^(?:(\d+) +)?(\w+)\((.*)$/.exec(line) ?? []
    if (name === undefined) continue
    const thread = (task === undefined ? isMain : Number(task) === pid) ? 'main' : 'pool'
    const index = (counts.get(`${thread} ${name}`) ?? 0) + 1
    counts.set(`${thread} ${name}`, index)
    const paths = pathsIn(rest, home, pid)
    const isWrite = !name.startsWith('open') || /O_WRONLY|O_RDWR|O_CREAT/.test(rest)
    calls.push({ thread, name, index, paths, changes: isWrite && paths.length > 0 })
  }
  return calls
}

/** The paths below a folder that a call names, by its arguments and descriptors, relative to the folder. */
function pathsIn(args: string, home: string, pid: number): string[] {
  // A descriptor in the result has a path, too, unless the call was interrupted.
  const found = [...args.replace(/\) += .*$/, '').matchAll(/"(\/[^"]*)"|<(\/[^>]*)>/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  )
  return found
    .filter((path) => path.startsWith(`${home}/`))
    .map((path) => path.slice(home.length + 1).replaceAll(`${pid}`, 'PID'))
    .map((path) => path.replace(/\.[0-9a-f]{12}\.tmp$/, '.tmp').replace(/job-[0-9a-f]{16}/, 'job'))
}

export function textOf({ name, paths }: SystemCall): string {
  return `${name} ${paths.join(' ')}`
}
