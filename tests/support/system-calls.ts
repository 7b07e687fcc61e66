import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
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
  /** Its paths, without what differs in each run, such as process ids. */
  readonly paths: readonly string[]
  readonly changes: boolean
  /** The names that it made, unless it failed. */
  readonly makes: readonly string[]
  /** Whether it told the caller something: a line of the standard output. */
  readonly says: boolean
}

export interface Fault {
  readonly call: SystemCall
  /** Which of the calls with this name, in its thread, that name one of its paths; from 1. */
  readonly index: number
  readonly how: 'kill' | 'ENOSPC'
}

/** The names exchange at this path, which must be seen to fail where they cannot. */
const exchanged = 'trees/x'

/** All faults in the calls of a run that change something. */
export function faultsIn(calls: readonly SystemCall[], { withoutExchange = false }): Fault[] {
  return calls.flatMap((call, at) => {
    if (!call.changes || (withoutExchange && call.name === 'renameat2')) return []
    const watched = watchedPaths(call, withoutExchange)
    const isCounted = (each: SystemCall) =>
      each.thread === call.thread &&
      each.name === call.name &&
      each.paths.some((path) => watched.includes(path))
    const index = calls.slice(0, at + 1).filter(isCounted).length
    return (['kill', 'ENOSPC'] as const).map((how) => ({ call, index, how }))
  })
}

function watchedPaths({ paths }: SystemCall, withoutExchange: boolean): readonly string[] {
  return withoutExchange ? [...paths, exchanged] : paths
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
  /** Whether the fault came to pass. */
  readonly isHit: boolean
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
  const args = [...straceArgs(options, log, pid), ...threads.flatMap((each) => ['-p', `${each}`])]
  const strace = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const tracerEnded = once(strace, 'close')
  await attached(strace.stderr, threads.length)
  child.stdin.write('go\n')
  const [code, signal] = (await ended) as [number | null, string | null]
  await tracerEnded
  const outcome = signal === null ? endOf(code) : 'killed'
  const text = readFileSync(log, 'utf8')
  rmSync(log)
  const calls = parseTrace(text, { pid, home, isMain })
  const isHit = fault?.how === 'kill' ? outcome === 'killed' : /ENOSPC .*\(INJECTED\)/.test(text)
  return {
    outcome,
    isHit,
    promises: said.lines.slice(1),
    err: errors.lines.join('\n'),
    calls,
  }
}

function endOf(code: number | null): 'ended' | 'failed' {
  return code === 0 ? 'ended' : 'failed'
}

/** Whether a call of the main thread must fail for the run, while another thread has the fault. */
function needsBoth({ withoutExchange = false, fault }: TraceOptions): boolean {
  return withoutExchange && fault?.call.thread === 'pool'
}

function straceArgs(options: TraceOptions, log: string, pid: number): string[] {
  const { home, fault, withoutExchange = false } = options
  const args = ['-y', '-s', '8', '-o', log, '-e', `trace=${traced.map((name) => `?${name}`).join(',')}`]
  if (withoutExchange) args.push('-e', 'inject=renameat2:error=ENOSYS')
  if (!fault) return args
  const { call, index, how } = fault
  const what = how === 'kill' ? 'signal=SIGKILL' : `error=${how}`
  args.push('-e', `inject=${call.name}:${what}:when=${index}`)
  // Only calls of these paths count. Node's writes to its event loop vary in number.
  for (const path of watchedPaths(call, withoutExchange))
    args.push('-P', join(home, realPath(path, home, pid)))
  return args
}

/** What `withoutVarying` took out of a path. */
function realPath(path: string, home: string, pid: number): string {
  const job = createHash('sha256').update(join(home, 'new')).digest('hex').slice(0, 16)
  return path
    .replaceAll('PID', `${pid}`)
    .replace(/\.tmp$/, `.${'00'.repeat(6)}.tmp`)
    .replace('/job', `/job-${job}`)
}

function withoutVarying(path: string, pid: number): string {
  return path
    .replaceAll(`${pid}`, 'PID')
    .replace(/\.[0-9a-f]{12}\.tmp$/, '.tmp')
    .replace(/\/job-[0-9a-f]{16}/, '/job')
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
  const failed = failedCalls(text)
  return text.split('\n').flatMap((line, at) => {
    const [, task, name, rest = ''] = /^(?:(\d+) +)?(\w+)\((.*)$/.exec(line) ?? []
    if (name === undefined) return []
    const thread = (task === undefined ? isMain : Number(task) === pid) ? 'main' : 'pool'
    const paths = pathsIn(rest, home, pid)
    const facts = { thread, name, paths } as const
    return [
      { ...facts, ...effectOf(name, rest, failed.has(at) ? [] : paths), changes: isChange(facts, rest) },
    ]
  })
}

function isChange({ name, paths }: Pick<SystemCall, 'name' | 'paths'>, args: string): boolean {
  return paths.length > 0 && (!name.startsWith('open') || /O_WRONLY|O_RDWR|O_CREAT/.test(args))
}

/** @param paths None for a call that failed. */
function effectOf(name: string, args: string, paths: readonly string[]): Pick<SystemCall, 'makes' | 'says'> {
  const opensOnly = name.startsWith('open') && !args.includes('O_CREAT')
  return { makes: opensOnly ? [] : madeNames(name, paths), says: name === 'write' && args.startsWith('1<') }
}

/** The lines that begin a call which failed. */
function failedCalls(text: string): Set<number> {
  const failed = new Set<number>()
  const unfinished = new Map<string, number>()
  for (const [at, line] of text.split('\n').entries()) {
    const [, task = '', resumed] = /^(?:(\d+) +)?(<\.\.\. )?/.exec(line) ?? []
    if (line.endsWith('<unfinished ...>')) unfinished.set(task, at)
    else if (/ = -1 E/.test(line)) failed.add(resumed ? (unfinished.get(task) ?? at) : at)
  }
  return failed
}

/** The names that a call makes. */
function madeNames(name: string, paths: readonly string[]): readonly string[] {
  if (name === 'renameat2') return paths
  if (/^(rename|link)/.test(name)) return paths.slice(1)
  return /^(open|mkdir|symlink)/.test(name) ? paths.slice(0, 1) : []
}

/** The paths below a folder that a call names, by its arguments and descriptors, relative to the folder. */
function pathsIn(args: string, home: string, pid: number): string[] {
  // A descriptor in the result has a path, too, unless the call was interrupted.
  const found = [...args.replace(/\) += .*$/, '').matchAll(/"(\/[^"]*)"|<(\/[^>]*)>/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  )
  return found
    .filter((path) => path === home || path.startsWith(`${home}/`))
    .map((path) => withoutVarying(path.slice(home.length + 1) || '.', pid))
}

export function textOf({ name, paths }: SystemCall): string {
  return `${name} ${paths.join(' ')}`
}
