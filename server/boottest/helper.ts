import { spawn } from 'node:child_process'
import { createConnection } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type Command, findProgram } from '../emulator/child.ts'

/** The process of a boot test, wherever it runs. It ends when its input does. */
export interface Helper {
  readonly input: Writable
  readonly output: Readable
  /** Resolves when it has ended, to its last words: why it could not start, or went wrong. */
  readonly ended: Promise<string>
  stop(): void
}

export interface HelperOptions {
  /** The command that runs the test. Default: this program again, as `treeboot boot-test`. */
  readonly program?: Command | undefined
  /**
   * The socket of `treeboot-boottest.socket`, behind which systemd starts the process in a sandbox of its own. Default: what
   * TREEBOOT_BOOT_TEST_SOCKET says; without it the process is a child of this one.
   */
  readonly socket?: string | undefined
}

/** Starts the process of a boot test; in words, why it cannot be started here. */
export function startHelper(options: HelperOptions): Helper | string {
  const { program, socket = program ? undefined : process.env.TREEBOOT_BOOT_TEST_SOCKET } = options
  if (socket !== undefined && socket !== '') return behindSocket(socket)
  const missing = ['unshare', 'nice', 'ip'].find((name) => findProgram(name) === undefined)
  if (missing !== undefined) return `${missing} is not installed: install ${packages[missing]}`
  return asChild(program ?? ownProgram())
}

const packages: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  nice: 'coreutils',
  ip: 'iproute2',
}

/** In characters: a process that goes wrong may write much. */
const mostWords = 400

function asChild(program: Command): Helper {
  const [file, ...args] = isolated(program)
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let words = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-mostWords)
  })
  // It ends early when it could not start.
  child.stdin.on('error', () => undefined)
  child.once('error', (error) => {
    words = error.message
  })
  const ended = new Promise<string>((resolve) => {
    child.once('close', () => resolve(words))
  })
  return { input: child.stdin, output: child.stdout, ended, stop: () => void child.kill('SIGTERM') }
}

/** Its standard error goes to the journal. */
function behindSocket(path: string): Helper {
  const socket = createConnection(path)
  let words = ''
  socket.on('error', (error) => {
    words = `${error.message}; systemctl enable --now treeboot-boottest.socket opens it`
  })
  const ended = new Promise<string>((resolve) => {
    socket.once('close', () => resolve(words))
  })
  return { input: socket, output: socket, ended, stop: () => socket.destroy() }
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
