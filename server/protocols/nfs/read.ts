import type { LRUCache } from 'lru-cache'
import { Failure } from '../../core/failure.ts'
import { type BufferPool, bigBufferBytes } from '../../files/buffers.ts'
import type { CleanPath } from '../../files/path.ts'
import type { Entry, OpenFile } from '../../files/source.ts'
import { lru } from '../../host/lru.ts'
import { writePostOp } from './attributes.ts'
import type { Caller, Payload, Transport } from './dispatch.ts'
import { type Found, type NfsNamespace, readHandle } from './namespace.ts'
import type { OpenFiles } from './open-files.ts'
import type { ReadLog } from './read-log.ts'
import { NfsFailure, nfsStatus } from './status.ts'
import { padding, type XdrReader, type XdrWriter } from './xdr.ts'

/**
 * The most bytes of one READ. Over TCP that is a buffer of the pool. Over UDP a reply must fit one datagram.
 * A datagram travels in fragments of the MTU, and one lost fragment loses all: the Linux client asks for 32
 * KiB.
 */
export const maxReadBytes: Record<Transport, number> = { tcp: bigBufferBytes, udp: 32 * 1024 }

/** A read up to this size gets memory of its own: a buffer of the pool would be mostly empty. */
const smallReadBytes = 32 * 1024

/** What READ needs besides its arguments. */
export interface ReadContext {
  readonly namespace: NfsNamespace
  readonly files: OpenFiles
  readonly pool: BufferPool
  readonly log: ReadLog
  readonly recent: RecentReads
}

/** By client, our address that it uses, and path: the entry that the client's last READ of the file found. */
export type RecentReads = LRUCache<string, Entry>

/** A reader that is forgotten waits for the lookup at its next READ, and loses nothing else. */
const maxRecentReads = 1024

export function recentReads(): RecentReads {
  return lru(maxRecentReads)
}

/** The bytes of one READ: a part of the file, of length 0 past its end. */
export interface ReadSpan {
  readonly position: number
  readonly length: number
}

/** The bytes to reply with, at most `maxBytes`: the client asks for the rest (RFC 1813 section 3.3.6). */
export function spanOf(offset: bigint, count: number, size: number, maxBytes: number): ReadSpan {
  if (offset >= BigInt(size)) return { position: size, length: 0 }
  const position = Number(offset)
  return { position, length: Math.min(count, maxBytes, size - position) }
}

/** READ, procedure 6. */
export async function read(
  context: ReadContext,
  args: XdrReader,
  out: XdrWriter,
  caller: Caller,
): Promise<Payload | undefined> {
  const handle = readHandle(args)
  const offset = args.u64()
  const count = args.u32()
  args.end()
  const maxBytes = maxReadBytes[caller.transport]
  const { path } = context.namespace.handles.place(handle)
  const reader = `${caller.who.address} ${caller.who.localAddress ?? ''} ${path}`
  const lastEntry = context.recent.get(reader)
  // Mostly the file has not changed since the client's last READ. So we read from the entry of that READ
  // while we look the file up, and read again only if the entry differs.
  const earlyRead =
    lastEntry && readSpan(context, path, lastEntry, spanOf(offset, count, lastEntry.size, maxBytes))
  earlyRead?.catch(() => undefined) // it may fail before it is awaited
  const found = await context.namespace.find(handle, caller.who).catch((error: unknown) => {
    discard(earlyRead)
    throw error
  })
  if (earlyRead && !isSameVersion(found.entry, lastEntry)) discard(earlyRead)
  if (found.entry.kind !== 'file') throw new NfsFailure(notAFile(found), found.attributes)
  const span = spanOf(offset, count, found.entry.size, maxBytes)
  // Only generated texts have a claim, and they are in memory: when it rejects, `earlyRead` holds no buffer.
  if (span.length > 0) await found.entry.claim?.()
  const piece =
    earlyRead && isSameVersion(found.entry, lastEntry)
      ? await earlyRead
      : await readSpan(context, path, found.entry, span)
  context.recent.set(reader, found.entry)
  const eof = span.position + piece.length >= found.entry.size
  out.u32(nfsStatus.ok)
  writePostOp(out, found.attributes)
  out.u32(piece.length).bool(eof).u32(piece.length)
  context.log.read(caller.who, found.path, found.entry, piece.length)
  return piece
}

function isSameVersion(a: Entry, b: Entry): boolean {
  return a === b || (a.etag === b.etag && a.size === b.size && a.kind === b.kind)
}

/** Gives the buffer of a read that is not needed back to the pool. */
function discard(earlyRead: Promise<Piece> | undefined): void {
  earlyRead?.then(
    (piece) => piece.release(),
    () => undefined,
  )
}

function notAFile({ entry }: Found): typeof nfsStatus.isDirectory | typeof nfsStatus.invalid {
  return entry.kind === 'folder' ? nfsStatus.isDirectory : nfsStatus.invalid
}

/** Bytes of a file as a payload. `length` does not count the padding. */
type Piece = Payload & { readonly length: number }

const emptyPiece: Piece = { bytes: Buffer.alloc(0), length: 0, release: () => undefined }
const zeros = Buffer.alloc(4)

async function readSpan(context: ReadContext, path: CleanPath, entry: Entry, span: ReadSpan): Promise<Piece> {
  if (span.length === 0) return emptyPiece
  if (entry.content) return contentPiece(entry.content, span)
  const { files, pool } = context
  const loan = span.length > smallReadBytes ? pool.take() : undefined
  const room = loan?.bytes ?? Buffer.allocUnsafe(span.length + padding(span.length))
  const release = (): void => {
    if (loan) pool.give(loan)
  }
  try {
    // A small loan (`BufferPool`) has less room than the span: the client asks for the rest.
    const wanted = { position: span.position, length: Math.min(span.length, room.length) }
    const length = await files.use(path, entry, (file) => readFully(file, path, room, wanted))
    const padded = length + padding(length)
    room.fill(0, length, padded)
    return { bytes: room.subarray(0, padded), length, release }
  } catch (error) {
    release()
    throw error
  }
}

function contentPiece(content: Uint8Array, { position, length }: ReadSpan): Piece {
  const view = Buffer.from(content.buffer, content.byteOffset + position, length)
  const pad = padding(length)
  const bytes = pad === 0 ? view : Buffer.concat([view, zeros.subarray(0, pad)])
  return { bytes, length, release: () => undefined }
}

/**
 * Reads until `length` bytes are read or the file ends. Resolves to the number of bytes.
 *
 * @throws Failure `invalid-data` when the file has no byte at `position`, although its entry said so.
 */
async function readFully(
  file: OpenFile,
  path: string,
  room: Buffer,
  { position, length }: ReadSpan,
): Promise<number> {
  let done = 0
  while (done < length) {
    const got = await file.read(room, done, length - done, position + done)
    if (got === 0) break
    done += got
  }
  if (done === 0)
    throw new Failure('invalid-data', `${path} ended at byte ${position}: it was cut while being read`)
  return done
}
