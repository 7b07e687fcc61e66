import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { BootTestProgress, OnBootTest } from '../core/boottest/progress.ts'
import type { BootTestResult } from '../core/boottest/result.ts'
import { type Command, findProgram } from '../emulator/child.ts'
import { ownFolder } from '../versions/layout.ts'
import type { BootTestMessage, BootTestRequest } from './request.ts'

/** In the folder that treeboot keeps below `trees/`: whoever may publish there may write it. */
export function bootTestFolder(trees: string): string {
  return join(trees, ownFolder, 'boot-tests')
}

export interface GateOptions {
  /** Called when the test has got further. */
  readonly onProgress?: OnBootTest | undefined
  /** Why no machine may be switched on now; asked again until it says nothing. */
  readonly whyNotNow?: (() => Promise<string | undefined>) | undefined
  readonly signal?: AbortSignal | undefined
  /** The command that runs the test. Default: this program again, as `treeboot boot-test`. */
  readonly program?: Command | undefined
}

/**
 * Tests a version in a process of its own, so that no QEMU is ever a child of the server, and resolves to what each
 * machine showed. The process is nice, and in a network namespace of its own: a machine under test reaches the version and
 * nothing else. It ends with this process, and QEMU with it.
 *
 * @throws The reason of `signal` when that is aborted.
 */
export async function bootTest(
  request: BootTestRequest,
  options: GateOptions = {},
): Promise<readonly BootTestResult[]> {
  const { signal, program = ownProgram() } = options
  signal?.throwIfAborted()
  const missing = ['unshare', 'nice', 'ip'].find((name) => findProgram(name) === undefined)
  if (missing !== undefined)
    return impossible(request, `${missing} is not installed: install ${packages[missing]}`)
  const [file, ...args] = isolated(program)
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const kill = (): void => void child.kill('SIGTERM')
  signal?.addEventListener('abort', kill, { once: true })
  try {
    const { results, isWhole, words } = await follow(child, request, options)
    signal?.throwIfAborted()
    if (isWhole) return results
    const why = `the process of the boot test ended early${words === '' ? '' : ` (${words})`}`
    const rest = request.firmware.filter((firmware) => results.every((each) => each.firmware !== firmware))
    return [...results, ...impossible({ ...request, firmware: rest }, why)]
  } finally {
    signal?.removeEventListener('abort', kill)
  }
}

const packages: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  nice: 'coreutils',
  ip: 'iproute2',
}

function impossible({ firmware }: Pick<BootTestRequest, 'firmware'>, why: string): BootTestResult[] {
  return firmware.map((each) => ({ firmware: each, outcome: 'impossible', why }))
}

/** `user` namespaces let a plain user have a network namespace; some hosts and most containers forbid them. */
function isolated(program: Command): Command {
  const namespaces = process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net']
  const dying = findProgram('setpriv') ? ['setpriv', '--pdeathsig', 'TERM'] : []
  return ['nice', '-n', '10', 'unshare', ...namespaces, '--', ...dying, ...program]
}

/** This program, built or from its sources. */
function ownProgram(): Command {
  const isSource = import.meta.url.endsWith('.ts')
  const main = fileURLToPath(new URL(`../main.${isSource ? 'ts' : 'js'}`, import.meta.url))
  return [process.execPath, ...(isSource ? ['--import', 'tsx'] : []), main, 'boot-test']
}

interface Followed {
  readonly results: readonly BootTestResult[]
  /** The process said that it is through. */
  readonly isWhole: boolean
  /** The last words on its standard error. */
  readonly words: string
}

/** In characters: a process that goes wrong may write much. */
const mostWords = 400

function follow(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  request: BootTestRequest,
  options: GateOptions,
): Promise<Followed> {
  const results: BootTestResult[] = []
  let isWhole = false
  let words = ''
  let isOver = false
  const { id: tree, firmware } = request
  const tell = (progress: Partial<BootTestProgress> & Pick<BootTestProgress, 'state'>): void =>
    options.onProgress?.({ tree, firmware, results: [...results], ...progress })
  const onMessage = (message: BootTestMessage): void => {
    if (message.event === 'result') results.push(message.result)
    else if (message.event === 'end') isWhole = true
    else if (message.event === 'error') words = message.message
    else if (message.event === 'may-boot') {
      const go = (): void => void (isOver || child.stdin.write('go\n'))
      void untilFree(options, { isOver: () => isOver, onWhy: (why) => tell({ state: 'held', why }) }).then(
        go,
        go,
      )
    } else if (message.event === 'waiting') {
      const { place, waiting } = message
      tell({ state: 'queued', place, waiting })
    } else tell({ state: 'booting', firmware: [message.firmware] })
  }
  tell({ state: 'starting' })
  return new Promise((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-mostWords)
    })
    createInterface({ input: child.stdout }).on('line', (line) => {
      const message = messageIn(line)
      if (message) onMessage(message)
    })
    // It ends early when it could not start.
    child.stdin.on('error', () => undefined)
    child.once('error', (error) => {
      words = error.message
    })
    child.once('close', () => {
      isOver = true
      resolve({ results, isWhole, words: words.replace(/\s+/g, ' ').trim() })
    })
    // Its end tells the process that we have ended.
    child.stdin.write(`${JSON.stringify(request)}\n`)
  })
}

/** Our own process says nothing else; what Node or a library may print is passed over. */
function messageIn(line: string): BootTestMessage | undefined {
  try {
    return line.startsWith('{"event":') ? (JSON.parse(line) as BootTestMessage) : undefined
  } catch {
    return undefined
  }
}

const askEveryMs = 5_000

interface Waiting {
  readonly isOver: () => boolean
  readonly onWhy: (why: string) => void
}

async function untilFree({ whyNotNow }: GateOptions, { isOver, onWhy }: Waiting): Promise<void> {
  for (let said = ''; !isOver(); ) {
    const why = await whyNotNow?.()
    if (why === undefined) return
    if (why !== said) onWhy(why)
    said = why
    await new Promise((resolve) => {
      setTimeout(resolve, askEveryMs)
    })
  }
}
