import { execFileSync, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { Transcript } from './transcript.ts'
import type { UndoStack } from './undo.ts'

/** A program and its arguments. No shell reads them, so nothing needs quoting. */
export type Command = readonly [file: string, ...args: string[]]

/** A program that runs until we stop it. */
export interface Child {
  readonly pid: number
  /** Standard output and standard error, in the order in which they came. */
  readonly output: Transcript
  /** Its exit code, 128 when a signal ended it, or 127 when it did not start. Never rejects. */
  readonly ended: Promise<number>
  /** Sends SIGTERM and waits; after five seconds, SIGKILL. */
  stop(): Promise<number>
}

/**
 * Runs a short command to its end and returns its standard output. When it fails, the error holds its
 * standard error.
 */
export function run(...[file, ...args]: Command): string {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const reason = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error)
    throw new Error(`${[file, ...args].join(' ')}: ${reason}`)
  }
}

/**
 * Starts a program that ends with this process, so that no machine keeps running unnoticed: `undo` kills it,
 * and when this process is killed the kernel kills it (`setpriv --pdeathsig`, which survives exec).
 *
 * @param folder Its working folder. Default: that of this process.
 */
export function startChild(undo: UndoStack, command: Command, folder?: string): Child {
  const guarded = findProgram('setpriv') ? (['setpriv', '--pdeathsig', 'KILL', ...command] as const) : command
  const [file, ...args] = guarded
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(folder === undefined ? {} : { cwd: folder }),
  })
  const output = new Transcript()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => output.append(text))
  }
  let alive = true
  const ended = new Promise<number>((resolve) => {
    const finish = (code: number, how: string) => {
      alive = false
      output.end(`${command[0]} ${how}`)
      resolve(code)
    }
    child.once('error', (error) => finish(127, `did not start: ${error.message}`))
    child.once('close', (code, signal) => finish(code ?? 128, `ended with ${signal ?? `code ${code}`}`))
  })
  undo.push(command[0], () => {
    if (alive) child.kill('SIGKILL')
  })
  const stop = async () => {
    if (alive) child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
    const code = await ended
    clearTimeout(timer)
    return code
  }
  return { pid: child.pid ?? -1, output, ended, stop }
}

/** The path of a program. Also searches the sbin folders, which are not in the PATH of a plain user. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin']
  return folders
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
