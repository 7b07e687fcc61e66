import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { defined } from '../../core/defined.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import { watchSpace } from '../../host/free-space.ts'
import type { OnProgress, OnRetry } from '../import/progress.ts'
import type { AddressGuard } from './address-guard.ts'
import { backOffMs, pauseFor, type RetryTiming } from './retry-timing.ts'

/**
 * The fixed options of rsync. Symlinks that lead out of the tree are skipped, and so are devices. Everybody may
 * read the files, since they are served. The URL comes after `--` and is checked, so that no part of it can be
 * an option.
 */
const fixedOptions = [
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
  /** The local folder that is filled. */
  readonly folder: string
  /** True when the URL names one file, which goes into the folder. */
  readonly isFile?: boolean
  /** Where an interrupted run keeps partial files: outside of the folder, in the same file system. */
  readonly parts: string
  /** Fetch only these files at the top of the upstream, each up to 16 MiB; else everything below the URL. */
  readonly only?: readonly string[]
  /** A folder whose files become hard links where name, size and time are the same. */
  readonly linkFrom?: string
  readonly onProgress?: OnProgress
  readonly onRetry?: OnRetry
  /** `limits.min-free`: rsync is stopped when less of the disk is free. */
  readonly minFree?: number
  /** How retries wait: for tests. */
  readonly fetching?: RetryTiming
  readonly signal?: AbortSignal
  /** Which addresses may be asked. Default: all. */
  readonly guard?: AddressGuard
}

/** The pauses between six tries of a single mirror take about 15 seconds at most. */
const maxTries = 6

/** `absent`: no mirror has the file or folder. `no-folder`: the URL names a file. */
export type RsyncOutcome = 'done' | 'absent' | 'no-folder'

/**
 * Makes a local folder equal to that of an upstream, with the program `rsync`. The mirrors are tried in turn.
 * A busy mirror is tried again after a pause, with exponential back-off.
 *
 * @throws Failure with rsync's own message; `unsupported` when the program is missing.
 */
export async function rsyncFrom(urls: readonly string[], run: RsyncRun): Promise<RsyncOutcome> {
  for (const url of urls) checkUrl(url)
  for (const folder of [run.folder, run.parts]) await mkdir(folder, { recursive: true })
  let urlsLeft = urls
  let lastFailure: Failure | undefined
  for (let tries = 0; tries < maxTries && urlsLeft.length > 0; tries++) {
    const url = urlsLeft[tries % urlsLeft.length] ?? ''
    const exit = await runOnce(await pinned(url, run, tries), run)
    const outcome = outcomeOf(exit)
    if (outcome === 'done' || outcome === 'no-folder') return outcome
    if (outcome === undefined)
      lastFailure = new Failure('unavailable', `rsync of ${url} ended with code ${exit.code}: ${exit.stderr}`)
    if (!isTransient(exit)) urlsLeft = urlsLeft.filter((each) => each !== url)
    else if (tries + 1 < maxTries)
      await pauseBefore(Math.floor(tries / urlsLeft.length), failureMessage(lastFailure), run)
  }
  if (lastFailure) throw lastFailure
  return 'absent'
}

/** The URL with the address that was checked in place of the name: rsync would look the name up again. */
async function pinned(url: string, { guard }: RsyncRun, tries: number): Promise<string> {
  if (!guard) return url
  const address = await guard.addressOf(new URL(url), tries)
  const [, port = ''] = /^rsync:\/\/(?:\[[^\]]*\]|[^/:]*)(:\d+)?\//i.exec(url) ?? []
  const host = address.includes(':') ? `[${address}]` : address
  return url.replace(/^rsync:\/\/[^/]*/i, `rsync://${host}${port}`)
}

/** @param before How often all mirrors have failed before this time. */
async function pauseBefore(
  before: number,
  why: string,
  { signal, onRetry, fetching: { pause = pauseFor, chance = Math.random } = {} }: RsyncRun,
): Promise<void> {
  const waitMs = backOffMs(before, chance())
  onRetry?.({ why, waitMs })
  await pause(waitMs, signal)
}

interface RsyncExit {
  readonly code: number | null
  /** What rsync and the daemon said, in one line. */
  readonly stderr: string
}

/** Code 23 is a partial transfer (rsync(1)); its message tells why. Undefined for every other failure. */
function outcomeOf({ code, stderr }: RsyncExit): RsyncOutcome | undefined {
  if (code === 0) return 'done'
  if (code !== 23) return undefined
  if (/Not a directory \(20\)/.test(stderr)) return 'no-folder'
  return /No such file or directory \(2\)/.test(stderr) ? 'absent' : undefined
}

/**
 * Whether a later try may succeed, by exit code (rsync(1)): 10 and 12 the connection, 24 files that vanished
 * while they were read, 30 and 35 a timeout; and 5 when the daemon has all the clients that it allows.
 */
function isTransient({ code, stderr }: RsyncExit): boolean {
  return [10, 12, 24, 30, 35].includes(code ?? 0) || (code === 5 && /max connections/.test(stderr))
}

function checkUrl(url: string): void {
  if (!/^rsync:\/\/[A-Za-z0-9.[\]:-]+\/[^\s\0\\`$;|&<>"'*?]*$/i.test(url))
    throw new Failure(
      'bad-request',
      `${url} is not a plain rsync URL; expected rsync://host/module/path/, and rsync for all mirrors of one tree`,
    )
}

async function runOnce(url: string, run: RsyncRun): Promise<RsyncExit> {
  const { folder, isFile, onProgress, signal, minFree } = run
  signal?.throwIfAborted()
  const bare = url.replace(/\/+$/, '')
  const from = isFile ? bare : `${bare}/`
  const child = spawn('rsync', [...optionsOf(run), '--', from, `${folder}/`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // On SIGTERM rsync keeps the partial file. We wait for its end, so that nothing writes here afterwards.
  const stop = (): void => void child.kill('SIGTERM')
  signal?.addEventListener('abort', stop, { once: true })
  let full: Failure | undefined
  const endWatch = watchSpace({ folder, minFree, what: `rsync of ${url}` }, (failure) => {
    full = failure
    stop()
  })
  let stderr = ''
  child.stderr.on('data', (text: Buffer) => {
    // Only the end is kept, for a message: rsync may complain of each file.
    stderr = `${stderr}${text}`.slice(-2000)
  })
  child.stdout.on('data', (text: Buffer) => report(text.toString(), onProgress))
  try {
    const [code] = (await once(child, 'close').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      throw new Failure(
        'unsupported',
        `${url} needs the program rsync, which is not installed (package rsync); many mirrors have the same tree over http`,
      )
    })) as [number | null]
    signal?.throwIfAborted()
    if (full) throw full
    return { code, stderr: oneLine(stderr) }
  } finally {
    signal?.removeEventListener('abort', stop)
    endWatch()
  }
}

function optionsOf({ parts, only, linkFrom }: RsyncRun): string[] {
  const filters = only ? [...only.map((name) => `--include=/${name}`), '--exclude=*', '--max-size=16m'] : []
  const links = linkFrom === undefined ? [] : [`--link-dest=${linkFrom}`]
  return [...fixedOptions, `--partial-dir=${parts}`, ...links, ...filters]
}

/**
 * Reports the last progress line in rsync's output: ` 32768 42% 31.25MB/s 0:00:01 (xfr#3, to-chk=5/9)`.
 * These lines end with carriage returns.
 */
function report(text: string, onProgress: OnProgress | undefined): void {
  const [, bytes = '', percent = ''] = /(\d+)\s+(\d+)%[^\r]*$/.exec(text) ?? []
  if (bytes === '' || !onProgress) return
  const doneBytes = Number(bytes)
  const totalBytes = Number(percent) > 0 ? Math.round((doneBytes * 100) / Number(percent)) : undefined
  onProgress({ stage: 'fetching', doneBytes, ...defined({ totalBytes }) })
}

/** rsync's messages as one line, without the one that repeats the exit code. */
function oneLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.filter((line) => line !== '' && !/^rsync error: /.test(line)).join('; ') || text.trim()
}
