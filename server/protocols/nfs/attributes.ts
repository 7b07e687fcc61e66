import type { Entry } from '../../files/source.ts'
import type { XdrWriter } from './xdr.ts'

/** The fields of `fattr3` (RFC 1813 section 2.5) that differ between our entries. */
export interface FileAttributes {
  readonly kind: Entry['kind']
  /** Bytes. */
  readonly size: number
  readonly fsid: bigint
  readonly fileid: bigint
  readonly modifiedMs: number
  /** Nanoseconds of the change time: they differ whenever the bytes may. See `attributesOf`. */
  readonly changeNs: number
}

/** Bytes of a `fattr3`, and of a `post_op_attr` with a `fattr3`. */
export const attributesBytes = 84
export const postOpBytes = 4 + attributesBytes

/** `ftype3` of RFC 1813 section 2.6. */
const fileTypes: Record<Entry['kind'], number> = { file: 1, folder: 2, symlink: 5 }
const modes: Record<Entry['kind'], number> = { file: 0o444, folder: 0o555, symlink: 0o777 }
/** The size that every folder shows, in bytes. Some tools take a folder of size zero for an empty one. */
const folderSize = 4096
const blockSize = 512

/**
 * The attributes of an entry. Clients cache what they read until size, modification time or change time
 * differ, and a file that rsync replaces may keep the first two. So the nanoseconds of the change time are
 * made from the entry's validator: a file with other bytes has another change time.
 */
export function attributesOf(entry: Entry, fsid: bigint, fileid: bigint): FileAttributes {
  const { kind, size, modifiedMs, etag } = entry
  return { kind, size, fsid, fileid, modifiedMs, changeNs: hash(etag) % 1_000_000_000 }
}

/** FNV-1a, 32 bits: enough to tell two versions of one file apart. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  return value >>> 0
}

export function writeAttributes(out: XdrWriter, attributes: FileAttributes): void {
  const { kind, fsid, fileid } = attributes
  const size = kind === 'folder' ? folderSize : attributes.size
  const seconds = clampSeconds(attributes.modifiedMs)
  // Not negative: the quotient of an extreme time may be rounded up.
  const milliseconds = Math.max(0, attributes.modifiedMs - Math.floor(attributes.modifiedMs / 1000) * 1000)
  const modifiedNs = Math.floor(milliseconds * 1_000_000)
  out.u32(fileTypes[kind]).u32(modes[kind])
  out.u32(kind === 'folder' ? 2 : 1) // nlink
  out.u32(0).u32(0) // uid, gid: root owns everything, and no client may write
  out.u64(size).u64(Math.ceil(size / blockSize) * blockSize)
  out.u32(0).u32(0) // rdev
  out.u64(fsid).u64(fileid)
  out.u32(seconds).u32(modifiedNs) // atime: not kept, so the modification time
  out.u32(seconds).u32(modifiedNs) // mtime
  out.u32(seconds).u32(attributes.changeNs) // ctime
}

/** `nfstime3` has 32 bits of seconds, without a sign. */
function clampSeconds(modifiedMs: number): number {
  return Math.min(0xffff_ffff, Math.max(0, Math.floor(modifiedMs / 1000)))
}

/** Writes a `post_op_attr`: the attributes, or that they are absent. */
export function writePostOp(out: XdrWriter, attributes: FileAttributes | undefined): void {
  out.bool(attributes !== undefined)
  if (attributes) writeAttributes(out, attributes)
}
