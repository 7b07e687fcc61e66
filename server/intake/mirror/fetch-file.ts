import { createHash } from 'node:crypto'
import { type FileHandle, open, readFile, rm, stat, utimes } from 'node:fs/promises'
import { Failure, failureMessage } from '../../core/failure.ts'
import type { Digest } from '../../core/tree/tree.ts'
import { digestFile } from '../../verify/background.ts'
import { type RemoteBody, Trouble, type Upstream } from './upstream.ts'
import type { UpstreamPool } from './upstream-pool.ts'

/** A file to fetch, and what is known of it beforehand. */
export interface RemoteFile {
  /** Relative to the upstream. */
  readonly path: string
  readonly size?: number
  readonly digest?: Digest
  /** Of a file that is read into memory, or whose size nobody told. */
  readonly atMostBytes?: number
  /** Nobody said that there is one. */
  readonly isOptional?: boolean
}

export interface FetchOptions {
  /** Told before the first byte: where it goes, and the size of the whole, when the upstream tells. */
  readonly onStart?: (position: number, size: number | undefined) => void
  readonly onBytes?: (bytes: number) => void
  readonly signal?: AbortSignal
}

/**
 * Fetches one file into `part`, whose folder is there, from whichever upstream has it whole. What an earlier try, or an earlier run, left in
 * `part` is gone on with. Size and digest are checked before it counts; a wrong one is fetched anew.
 *
 * @returns False when no upstream has such a file.
 * @throws Failure when none gave it whole.
 */
export async function fetchFile(
  pool: UpstreamPool,
  file: RemoteFile,
  part: string,
  options: FetchOptions = {},
): Promise<boolean> {
  const attempt = async (upstream: Upstream) =>
    (await tryOnce(upstream, file, part, options)) ? true : undefined
  const { isOptional = false } = file
  const { signal } = options
  return (await pool.ask(file.path, attempt, { isOptional, ...(signal && { signal }) })) ?? false
}

async function tryOnce(
  upstream: Upstream,
  file: RemoteFile,
  part: string,
  options: FetchOptions,
): Promise<boolean> {
  const { signal } = options
  const here = (await stat(part).catch(() => undefined))?.size ?? 0
  const validator = file.digest ? undefined : await readFile(`${part}.from`, 'utf8').catch(() => undefined)
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
    ...(start > 0 && validator !== undefined && { validator }),
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
  const limit = file.size ?? file.atMostBytes ?? Number.POSITIVE_INFINITY
  const hash = file.digest && createHash(file.digest.algorithm)
  const handle = await open(part, from > 0 ? 'r+' : 'w', 0o644)
  let position = from
  options.onStart?.(from, file.size ?? answer.size)
  try {
    if (from > 0) await handle.truncate(from)
    if (answer.validator !== undefined && !file.digest) await noteValidator(part, answer.validator)
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
    throw new Trouble(`${what}: ${failureMessage(error)} after ${position} bytes`, { cause: error })
  } finally {
    await handle.close()
  }
  const expected = file.size ?? answer.size
  if (expected !== undefined && position !== expected) {
    // Whole by its own account: this upstream has another file, and will have it again.
    if (answer.size === position)
      throw new Failure('invalid-data', `${what} has ${position} bytes; ${expected} were expected`)
    throw new Trouble(`${what} ended after ${position} of ${expected} bytes`)
  }
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
