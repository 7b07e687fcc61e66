import { LRUCache } from 'lru-cache'
import { Failure } from '../../core/failure.ts'
import { type BufferPool, bigBufferBytes } from '../../files/buffers.ts'
import type { CleanPath } from '../../files/path.ts'
import type { Entry, OpenFile } from '../../files/source.ts'
import { writePostOp } from './attributes.ts'
import type { Caller, Payload, Transport } from './dispatch.ts'
import type { OpenFiles } from './open-files.ts'
import type { ReadLog } from './read-log.ts'
import { type Found, readHandle, type Shelf } from './shelf.ts'
import { NfsFailure, nfsStatus } from './status.ts'
import { padding, type XdrReader, type XdrWriter } from './xdr.ts'

/**
 * Bytes of one READ. Over TCP as much as a buffer of the pool holds. Over UDP an answer must fit one datagram, which
 * travels in fragments of the MTU, and with one lost all are lost: 32 KiB is what the Linux client asks for anyway.
 */
export const maxReadBytes: Record<Transport, number> = { tcp: bigBufferBytes, udp: 32 * 1024 }

/** Up to here a read gets memory of its own; a buffer of the pool would be mostly empty. */
const smallReadBytes = 32 * 1024

export interface ReadMeans {
  readonly shelf: Shelf
  readonly files: OpenFiles
  readonly pool: BufferPool
  readonly log: ReadLog
  readonly recent: RecentReads
}

/** What each client saw of the files that it reads. */
export type RecentReads = LRUCache<string, Entry>

export function recentReads(): RecentReads {
  return new LRUCache({ max: 1024 })
}

/** Where a read begins and how long it is; past the end it has no bytes. */
export interface Span {
  readonly position: number
  readonly length: number
}

/** RFC 1813 section 3.3.6: fewer bytes than asked for are fine, and the client asks on. */
export function spanOf(offset: bigint, count: number, size: number, maxBytes: number): Span {
  if (offset >= BigInt(size)) return { position: size, length: 0 }
  const position = Number(offset)
  return { position, length: Math.min(count, maxBytes, size - position) }
}

/** READ, procedure 6. */
export async function read(
  means: ReadMeans,
  args: XdrReader,
  out: XdrWriter,
  caller: Caller,
): Promise<Payload | undefined> {
  const handle = readHandle(args)
  const offset = args.u64()
  const count = args.u32()
  args.end()
  const most = maxReadBytes[caller.transport]
  const path = means.shelf.handles.path(handle)
  const reader = `${caller.who.address} ${caller.who.localAddress ?? ''} ${path}`
  const guessed = means.recent.get(reader)
  // A client that reads on mostly gets what it would have got: look and read at once, and read again if it differs.
  const guess = guessed && readSpan(means, path, guessed, spanOf(offset, count, guessed.size, most))
  guess?.catch(() => undefined) // it may fail before anyone waits for it
  const found = await means.shelf.find(handle, caller.who).catch((error: unknown) => {
    discard(guess)
    throw error
  })
  if (guess && !isSame(found.entry, guessed)) discard(guess)
  if (found.entry.kind !== 'file') throw new NfsFailure(notAFile(found), found.attributes)
  const span = spanOf(offset, count, found.entry.size, most)
  if (span.length > 0) await found.entry.claim?.()
  const piece =
    guess && isSame(found.entry, guessed) ? await guess : await readSpan(means, path, found.entry, span)
  means.recent.set(reader, found.entry)
  const eof = span.position + piece.length >= found.entry.size
  out.u32(nfsStatus.ok)
  writePostOp(out, found.attributes)
  out.u32(piece.length).bool(eof).u32(piece.length)
  means.log.read(caller.who, found.path, found.entry, piece.length)
  return piece
}

function isSame(a: Entry, b: Entry): boolean {
  return a === b || (a.etag === b.etag && a.size === b.size && a.kind === b.kind)
}

/** What was read in vain goes back. */
function discard(guess: Promise<Piece> | undefined): void {
  guess?.then(
    (piece) => piece.release(),
    () => undefined,
  )
}

function notAFile({ entry }: Found): typeof nfsStatus.isDirectory | typeof nfsStatus.invalid {
  return entry.kind === 'folder' ? nfsStatus.isDirectory : nfsStatus.invalid
}

type Piece = Payload & { readonly length: number }

const nothing: Piece = { bytes: Buffer.alloc(0), length: 0, release: () => undefined }
const zeros = Buffer.alloc(4)

async function readSpan(
  { files, pool }: ReadMeans,
  path: CleanPath,
  entry: Entry,
  span: Span,
): Promise<Piece> {
  if (span.length === 0) return nothing
  if (entry.content) return contentPiece(entry.content, span)
  const loan = span.length > smallReadBytes ? pool.take() : undefined
  const room = loan?.bytes ?? Buffer.allocUnsafe(span.length + padding(span.length))
  const release = (): void => {
    if (loan) pool.give(loan)
  }
  try {
    const wanted = Math.min(span.length, room.length)
    const length = await readFully(files, path, entry, room, { position: span.position, length: wanted })
    const padded = length + padding(length)
    room.fill(0, length, padded)
    return { bytes: room.subarray(0, padded), length, release }
  } catch (error) {
    release()
    throw error
  }
}

function contentPiece(content: Uint8Array, { position, length }: Span): Piece {
  const view = Buffer.from(content.buffer, content.byteOffset + position, length)
  const pad = padding(length)
  const bytes = pad === 0 ? view : Buffer.concat([view, zeros.subarray(0, pad)])
  return { bytes, length, release: () => undefined }
}

/** @throws Failure `invalid-data` when the file has become shorter than its entry said. */
function readFully(
  files: OpenFiles,
  path: string,
  entry: Entry,
  room: Buffer,
  { position, length }: Span,
): Promise<number> {
  return files.use(path, entry, async (file: OpenFile) => {
    let done = 0
    while (done < length) {
      const got = await file.read(room, done, length - done, position + done)
      if (got === 0) break
      done += got
    }
    if (done === 0)
      throw new Failure('invalid-data', `${path} ended at byte ${position}: it was cut while being read`)
    return done
  })
}
