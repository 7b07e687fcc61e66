import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pauseFor } from 'node:timers/promises'
import { Failure, failureMessage } from '../../core/failure.ts'
import type { Digest } from '../../core/tree/tree.ts'
import { digestFile } from '../verify.ts'
import { type RemoteBody, Trouble, type Upstream } from './upstream.ts'

/** A file to fetch, and what is known of it beforehand. */
export interface RemoteFile {
  /** Relative to the upstream. */
  readonly path: string
  readonly size?: number
  readonly digest?: Digest
}

export interface FetchOptions {
  readonly onBytes?: (bytes: number) => void
  readonly signal?: AbortSignal
  /** For tests: how to wait, and chance from 0 to 1. */
  readonly pause?: (ms: number, signal?: AbortSignal) => Promise<void>
  readonly chance?: () => number
  readonly maxBytes?: number
}

const mostTries = 8
const firstPauseMs = 500
const longestPauseMs = 60_000
const longestRetryAfterMs = 300_000

/**
 * Fetches one file into `part`, from whichever upstream has it whole. What an earlier try, or an earlier run, left in
 * `part` is gone on with. Size and digest are checked before it counts; a wrong one is fetched anew from the next
 * upstream. Between tries it waits as long as the upstream asks, else ever longer with chance mixed in, so that a
 * hundred mirrors do not come back in the same second.
 *
 * @returns False when no upstream has such a file.
 * @throws Failure when none gave it whole.
 */
export async function fetchFile(
  upstreams: readonly Upstream[],
  file: RemoteFile,
  part: string,
  options: FetchOptions = {},
): Promise<boolean> {
  const { signal, pause = waitFor, chance = Math.random } = options
  await mkdir(dirname(part), { recursive: true })
  const absent = new Set<Upstream>()
  let damaged = 0
  let last: unknown
  for (let tries = 0; tries < mostTries; tries++) {
    const left = upstreams.filter((upstream) => !absent.has(upstream))
    const upstream = left[tries % Math.max(1, left.length)]
    if (!upstream) break
    signal?.throwIfAborted()
    try {
      const found = await tryOnce(upstream, file, part, options)
      if (found) return true
      absent.add(upstream)
      // The next one is asked at once: this was no trouble.
      continue
    } catch (error) {
      if (signal?.aborted) throw error
      if (!(error instanceof Failure)) throw error
      last = error
      // Damaged twice at every upstream: it will not become better.
      if (error.kind === 'invalid-data' && ++damaged >= 2 * left.length) break
    }
    // Another upstream need not wait for this one.
    const retryAfterMs = last instanceof Trouble ? last.retryAfterMs : undefined
    const grown = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.floor(tries / Math.max(1, left.length)))
    const waitMs =
      retryAfterMs !== undefined && left.length === 1
        ? Math.min(retryAfterMs, longestRetryAfterMs)
        : grown * (0.5 + chance() / 2)
    if (tries + 1 < mostTries) await pause(waitMs, signal)
  }
  if (last === undefined) return false
  const message = `${file.path} could not be fetched; the last try: ${failureMessage(last)}`
  throw new Failure('unavailable', message, { cause: last })
}

async function waitFor(ms: number, signal?: AbortSignal): Promise<void> {
  await pauseFor(ms, undefined, signal ? { signal } : {})
}

async function tryOnce(
  upstream: Upstream,
  file: RemoteFile,
  part: string,
  options: FetchOptions,
): Promise<boolean> {
  const { signal } = options
  const here = (await stat(part).catch(() => undefined))?.size ?? 0
  const validator = await readFile(`${part}.from`, 'utf8').catch(() => undefined)
  // Without a digest only the upstream's own word tells whether the rest belongs to what is here.
  const resumable =
    here > 0 &&
    (file.size === undefined || here <= file.size) &&
    (file.digest !== undefined || validator !== undefined)
  if (resumable && here === file.size && file.digest) {
    if ((await digestFile(part, file.digest.algorithm)) === file.digest.hex) return true
    await rm(part, { force: true })
    return tryOnce(upstream, file, part, options)
  }
  const start = resumable ? here : 0
  const answer = await upstream.get(file.path, {
    start,
    ...(start > 0 && validator !== undefined && file.digest === undefined && { validator }),
    ...(signal && { signal }),
  })
  if (!answer) return false
  const from =
    answer.start === start && (file.digest || answer.validator === validator) ? start : answer.start
  if (from !== 0 && from !== start)
    throw new Trouble(`${upstream.url}${file.path} answers from byte ${from}; asked for ${start}`)
  await pour(upstream, file, part, answer, from, options)
  return true
}

async function pour(
  upstream: Upstream,
  file: RemoteFile,
  part: string,
  answer: RemoteBody,
  from: number,
  options: FetchOptions,
): Promise<void> {
  const what = `${upstream.url}${file.path}`
  const limit = file.size ?? options.maxBytes ?? Number.POSITIVE_INFINITY
  const hash = file.digest && createHash(file.digest.algorithm)
  const handle = await open(part, from > 0 ? 'r+' : 'w', 0o644)
  let position = from
  try {
    await handle.truncate(from)
    if (answer.validator !== undefined) await noteValidator(part, answer.validator)
    if (from > 0 && hash) await rehash(handle, from, hash)
    for await (const piece of answer.body) {
      options.signal?.throwIfAborted()
      if (position + piece.length > limit) {
        await handle.truncate(0)
        throw new Failure('invalid-data', `${what} goes on after the ${limit} bytes that it should have`)
      }
      hash?.update(piece)
      for (let done = 0; done < piece.length; )
        done += (await handle.write(piece, done, piece.length - done, position + done)).bytesWritten
      position += piece.length
      options.onBytes?.(piece.length)
    }
  } catch (error) {
    if (error instanceof Failure || options.signal?.aborted || isDiskTrouble(error)) throw error
    throw new Trouble(`${what}: ${failureMessage(error)} after ${position} bytes`, undefined, error)
  } finally {
    await handle.close()
  }
  const expected = file.size ?? answer.size
  if (expected !== undefined && position !== expected)
    throw new Trouble(`${what} ended after ${position} of ${expected} bytes`)
  const found = hash?.digest('hex')
  if (file.digest && found !== file.digest.hex) {
    await rm(part, { force: true })
    throw new Failure(
      'invalid-data',
      `${what} is damaged: ${file.digest.algorithm} expected ${file.digest.hex}, found ${found}`,
    )
  }
  if (answer.modifiedMs !== undefined) await utimes(part, answer.modifiedMs / 1000, answer.modifiedMs / 1000)
}

/** A full or failing disk of ours is not the upstream's fault, and trying again would not help. */
function isDiskTrouble(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '')
}

async function noteValidator(part: string, validator: string): Promise<void> {
  const handle = await open(`${part}.from`, 'w')
  try {
    await handle.writeFile(validator)
  } finally {
    await handle.close()
  }
}

async function rehash(
  handle: FileHandle,
  length: number,
  hash: { update(data: Uint8Array): unknown },
): Promise<void> {
  const buffer = Buffer.allocUnsafe(1 << 20)
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - at), at)
    if (bytesRead === 0) return
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
}
