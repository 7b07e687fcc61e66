import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { defined } from '../../core/defined.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import type { Digest } from '../../core/tree/tree.ts'
import type { FreeSpace } from '../../host/free-space.ts'
import { digestFile } from '../../verify/digests/digests.ts'
import { type RemoteBody, TransientFailure, type Upstream } from './upstream.ts'
import type { UpstreamPool } from './upstream-pool.ts'

/** A file to fetch, and what is known of it beforehand. */
export interface RemoteFile {
  /** Relative to the upstream. */
  readonly path: string
  readonly size?: number
  readonly digest?: Digest
  /** The document that says size and digest, relative to the upstream. */
  readonly by?: string
  /** The most bytes to accept, for a file that is read into memory or whose size is unknown. */
  readonly atMostBytes?: number
  /** Whether the file may be missing at the upstream. */
  readonly isOptional?: boolean
}

export interface FetchOptions {
  /** Called before the first byte, with its position and the size of the whole file, if that is known. */
  readonly onStart?: (position: number, size: number | undefined) => void
  readonly onBytes?: (bytes: number) => void
  readonly signal?: AbortSignal
  /** Asked before bytes are written. */
  readonly space?: FreeSpace
}

/** One try to fetch a file from one upstream into a local file. */
interface Download {
  readonly upstream: Upstream
  readonly file: RemoteFile
  /** The local file; `PART.from` beside it holds the validator that its bytes came with. */
  readonly part: string
  readonly options: FetchOptions
}

/**
 * Fetches one file into `part`, from the first mirror that sends all of it. The folder of `part` must
 * exist. Bytes that an earlier try or run left in `part` are kept, and only the bytes after them are fetched.
 * Size and digest are checked at the end; a file with a wrong digest is fetched again from its first byte.
 *
 * @returns False when no upstream has the file.
 * @throws Failure when an upstream has the file and none sent all of it.
 */
export async function fetchFile(
  pool: UpstreamPool,
  file: RemoteFile,
  part: string,
  options: FetchOptions = {},
): Promise<boolean> {
  const { isOptional = false } = file
  const { signal } = options
  const attempt = async (upstream: Upstream) =>
    (await download({ upstream, file, part, options })) ? true : undefined
  return (await pool.ask(file.path, attempt, { isOptional, ...defined({ signal }) })) ?? false
}

/** False when the upstream does not have the file. */
async function download(task: Download): Promise<boolean> {
  const { upstream, file, part, options } = task
  const kept = await keptPart(part, file)
  if (kept.isWhole) return true
  const { start, validator } = kept
  const response = await upstream.get(file.path, {
    start,
    ...defined({ validator, signal: options.signal }),
  })
  if (!response) return false
  if (response.start !== 0 && response.start !== start)
    throw new TransientFailure(
      `${urlOf(task)} answers from byte ${response.start}; expected byte ${start} or 0`,
    )
  const received = await receive(task, response)
  await checkReceived(task, response, received)
  const { modifiedMs } = response
  if (modifiedMs !== undefined) await utimes(part, modifiedMs / 1000, modifiedMs / 1000)
  return true
}

interface KeptPart {
  /** The first byte that is missing. */
  readonly start: number
  readonly validator?: string
  readonly isWhole: boolean
}

const nothingKept: KeptPart = { start: 0, isWhole: false }

/**
 * Finds how much of an earlier try can be kept. Without a digest, only the upstream's validator tells whether
 * these bytes and the missing ones belong to the same file.
 */
async function keptPart(part: string, { size, digest }: RemoteFile): Promise<KeptPart> {
  const bytes = (await stat(part).catch(() => undefined))?.size ?? 0
  if (bytes === 0 || (size !== undefined && bytes > size)) return nothingKept
  if (!digest) {
    const validator = await readFile(validatorFile(part), 'utf8').catch(() => undefined)
    return validator === undefined ? nothingKept : { start: bytes, validator, isWhole: false }
  }
  if (bytes !== size) return { start: bytes, isWhole: false }
  if ((await digestFile(part, digest.algorithm)) === digest.hex) return { start: bytes, isWhole: true }
  await rm(part, { force: true })
  return nothingKept
}

interface Received {
  /** Length of the part, kept bytes included. */
  readonly bytes: number
  readonly hex: string | undefined
}

/** Writes the response after the kept bytes, and computes the digest of the whole file. */
async function receive(task: Download, response: RemoteBody): Promise<Received> {
  const { file, part, options } = task
  const { start } = response
  const hash = file.digest && createHash(file.digest.algorithm)
  const handle = await open(part, start > 0 ? 'r+' : 'w', 0o644)
  let position = start
  options.onStart?.(start, file.size ?? response.size)
  try {
    if (start > 0) await handle.truncate(start)
    // Bytes without a validator cannot be resumed: an older one would belong to another file.
    if (response.validator === undefined) await rm(validatorFile(part), { force: true })
    else if (!file.digest) await writeFile(validatorFile(part), response.validator)
    if (start > 0 && hash) await hashFirst(handle, start, hash)
    for await (const piece of response.body) {
      options.signal?.throwIfAborted()
      await checkLimit(task, handle, position + piece.length)
      await options.space?.check(urlOf(task), piece.length)
      hash?.update(piece)
      await writeAll(handle, piece, position)
      position += piece.length
      options.onBytes?.(piece.length)
    }
  } catch (error) {
    if (error instanceof Failure || options.signal?.aborted || isDiskFailure(error)) throw error
    throw new TransientFailure(`${urlOf(task)}: ${failureMessage(error)} after ${position} bytes`, {
      cause: error,
    })
  } finally {
    await handle.close()
  }
  return { bytes: position, hex: hash?.digest('hex') }
}

/**
 * Refuses a file that is longer than its document says, or than is accepted of a file without a known size.
 * It is not the file that was meant, so nothing of it is kept.
 */
async function checkLimit(task: Download, handle: FileHandle, bytes: number): Promise<void> {
  const limit = task.file.size ?? task.file.atMostBytes ?? Number.POSITIVE_INFINITY
  if (bytes <= limit) return
  await handle.truncate(0)
  throw new Failure('invalid-data', `${urlOf(task)} has more than the ${limit} bytes that were expected`)
}

async function checkReceived(task: Download, response: RemoteBody, { bytes, hex }: Received): Promise<void> {
  const { file, part } = task
  const expected = file.size ?? response.size
  if (expected !== undefined && bytes !== expected) {
    // The upstream sent what it announced: it has another file, and a retry would get the same.
    if (response.size === bytes)
      throw new Failure('invalid-data', `${urlOf(task)} has ${bytes} bytes; ${expected} were expected`)
    throw new TransientFailure(`${urlOf(task)} ended after ${bytes} of ${expected} bytes`)
  }
  if (!file.digest || hex === file.digest.hex) return
  await rm(part, { force: true })
  const { algorithm, hex: named } = file.digest
  throw new Failure(
    'invalid-data',
    `${urlOf(task)} is damaged: ${algorithm} is ${hex}; ${file.by ?? 'its list'} says ${named}`,
  )
}

function urlOf({ upstream, file }: Download): string {
  return `${upstream.url}${file.path}`
}

function validatorFile(part: string): string {
  return `${part}.from`
}

/** A full or failing local disk is not the upstream's fault, and a retry would not help. */
function isDiskFailure(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '')
}

async function writeAll(handle: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < piece.length; )
    done += (await handle.write(piece, done, piece.length - done, position + done)).bytesWritten
}

async function hashFirst(handle: FileHandle, length: number, hash: Hash): Promise<void> {
  const buffer = Buffer.allocUnsafe(1 << 20)
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, length - at), at)
    if (bytesRead === 0) return
    hash.update(buffer.subarray(0, bytesRead))
    at += bytesRead
  }
}
