import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { Failure } from '../../core/failure.ts'
import type { OnProgress } from '../import/progress.ts'
import { backOffMs, type Waiting, waitFor } from './upstream-pool.ts'

/**
 * Everything that may be said to rsync; the URL comes after `--` and is checked, so that no part of it can be an
 * option. Links that lead out are left out, and so are devices. Nothing here is seen before all is there, so files
 * take their names at once, and a second run passes over them.
 */
const options = [
  '--recursive',
  '--times',
  '--links',
  '--safe-links',
  '--delete-delay',
  '--chmod=Du=rwx,Dgo=rx,Fu=rw,Fgo=r',
  '--timeout=120',
  '--info=progress2',
  '--no-human-readable',
] as const

export interface RsyncRun {
  readonly folder: string
  /** The URL names one file, which goes into the folder. */
  readonly isFile?: boolean
  /** Where files under way are kept when it is stopped: outside of the folder, in the same file system. */
  readonly parts: string
  /** Small files at the top of the upstream; default: everything below it. */
  readonly only?: readonly string[]
  /** A folder whose files are shared by hard links where name, size and time are the same. */
  readonly earlier?: string
  readonly onProgress?: OnProgress
  readonly fetching?: Waiting
  readonly signal?: AbortSignal
}

const mostTries = 6

/** `no-folder`: there is something of that name, and it is a file. */
export type RsyncOutcome = 'done' | 'absent' | 'no-folder'

/**
 * Brings a folder to what an upstream has, with the program `rsync`. Mirrors of the same tree are tried in turn; one
 * that is busy is waited for, ever longer.
 *
 * @throws Failure with rsync's own words; `unsupported` when the program is missing.
 */
export async function rsyncFrom(urls: readonly string[], run: RsyncRun): Promise<RsyncOutcome> {
  const { signal, fetching: { pause = waitFor, chance = Math.random } = {} } = run
  for (const url of urls) checkUrl(url)
  for (const folder of [run.folder, run.parts]) await mkdir(folder, { recursive: true })
  let left = urls
  let last: Failure | undefined
  for (let tries = 0; tries < mostTries && left.length > 0; tries++) {
    const url = left[tries % left.length] ?? ''
    const { code, said } = await runOnce(url, run)
    if (code === 0) return 'done'
    if (code === 23 && /Not a directory \(20\)/.test(said)) return 'no-folder'
    const isAbsent = code === 23 && /No such file or directory \(2\)/.test(said)
    if (!isAbsent) last = new Failure('unavailable', `rsync of ${url} ended with code ${code}: ${said}`)
    if (!mayPass(code, said)) left = left.filter((each) => each !== url)
    else if (tries + 1 < mostTries) await pause(backOffMs(Math.floor(tries / left.length), chance()), signal)
  }
  if (last) throw last
  return 'absent'
}

/**
 * Exit codes of troubles that pass (rsync(1)): 10 and 12 the connection, 24 files went while they were read, 30 and 35
 * too long without a byte; and 5 when the daemon has all the clients that it wants.
 */
function mayPass(code: number | null, said: string): boolean {
  return [10, 12, 24, 30, 35].includes(code ?? 0) || (code === 5 && /max connections/.test(said))
}

function checkUrl(url: string): void {
  if (!/^rsync:\/\/[A-Za-z0-9.[\]:-]+\/[^\s\0\\`$;|&<>"'*?]*$/i.test(url))
    throw new Failure(
      'bad-request',
      `${url} is no rsync URL that is passed on; expected rsync://host/module/path/, and rsync for all mirrors of one tree`,
    )
}

async function runOnce(url: string, run: RsyncRun): Promise<{ code: number | null; said: string }> {
  const { folder, parts, only, earlier, isFile, onProgress, signal } = run
  signal?.throwIfAborted()
  const filters = only ? [...only.map((name) => `--include=/${name}`), '--exclude=*', '--max-size=16m'] : []
  const more = [
    `--partial-dir=${parts}`,
    ...(earlier === undefined ? [] : [`--link-dest=${earlier}`]),
    ...filters,
  ]
  const bare = url.replace(/\/+$/, '')
  const from = isFile ? bare : `${bare}/`
  const child = spawn('rsync', [...options, ...more, '--', from, `${folder}/`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // It keeps the part of a file that it is at, and has ended before anybody else may work here.
  const stop = (): void => void child.kill('SIGTERM')
  signal?.addEventListener('abort', stop, { once: true })
  let said = ''
  child.stderr.on('data', (text: Buffer) => {
    said = `${said}${text}`.slice(-2000)
  })
  child.stdout.on('data', (text: Buffer) => tell(text.toString(), onProgress))
  try {
    const [code] = (await once(child, 'close').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      throw new Failure(
        'unsupported',
        `${url} needs the program rsync, which is not installed (package rsync); many mirrors have the same tree over http`,
      )
    })) as [number | null]
    signal?.throwIfAborted()
    return { code, said: oneLine(said) }
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/** `     32,768  42%   31.25MB/s    0:00:01 (xfr#3, to-chk=5/9)`, written over itself with carriage returns. */
function tell(text: string, onProgress: OnProgress | undefined): void {
  const [, bytes = '', percent = ''] = /(\d+)\s+(\d+)%[^\r]*$/.exec(text) ?? []
  if (bytes === '' || !onProgress) return
  const doneBytes = Number(bytes)
  const totalBytes = Number(percent) > 0 ? Math.round((doneBytes * 100) / Number(percent)) : undefined
  onProgress({ stage: 'fetching', doneBytes, ...(totalBytes !== undefined && { totalBytes }) })
}

/** What rsync and the daemon say, without the line that repeats the code. */
function oneLine(said: string): string {
  const lines = said.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !/^rsync error: /.test(line)).join('; ') || said.trim()
}
