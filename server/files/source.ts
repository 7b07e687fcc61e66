import type { Decision } from '../core/boot/decision.ts'
import type { Requester } from '../core/net/requester.ts'
import type { CleanPath } from './path.ts'

export type EntryKind = 'file' | 'folder' | 'symlink'

/**
 * One thing in the namespace. An entry is a value: it says what was there when it was looked up, and `open`
 * gives those bytes or fails, never a mixture of two versions.
 */
export interface Entry {
  /** The last component of its path; '' for the root. */
  readonly name: string
  readonly kind: EntryKind
  /** Bytes; 0 for folders; for a symlink the length of its target. */
  readonly size: number
  readonly modifiedMs: number
  /** A strong validator without its quotes: it changes whenever the bytes may have changed. */
  readonly etag: string
  /** Where a symlink points, as written. Only `list` and `stat` with `nofollow` show symlinks; all else follows them. */
  readonly target?: string
  /** The file behind this entry on our own disk and where its bytes start: one extent, ready for positioned reads. */
  readonly extent?: { readonly file: string; readonly offset: number }
  /** Bytes that are in memory already (generated text, cached small files). Readers may use them instead of `open`. */
  readonly content?: Uint8Array
  /** What was decided for the client that asked. A protocol hands it on in the `served` event and looks no further. */
  readonly decision?: Decision
  /**
   * To be awaited by a protocol before the first byte of this entry leaves, for GET, RRQ, RETR and a first READ, and for
   * nothing else: it writes down what these bytes begin. Rejects with a Failure when that is impossible; then no byte
   * may leave.
   */
  readonly claim?: () => Promise<void>
  /** Random access to the bytes. Rejects with a Failure for folders. */
  open(): Promise<OpenFile>
}

/** An open file: positioned reads, any number at once. */
export interface OpenFile {
  readonly size: number
  /** Where the bytes are on our own disk, for system calls that send them without reading: good until `close`. */
  readonly descriptor?: { readonly fd: number; readonly offset: number }
  /** Reads up to `length` bytes at `position` into `target` at `offset`; resolves to the bytes read, 0 at the end. */
  read(target: Uint8Array, offset: number, length: number, position: number): Promise<number>
  close(): Promise<void>
}

/**
 * Anything that has files: a folder on disk, an ISO image, a table of generated texts, several of these on
 * top of one another. All protocols see only this.
 */
export interface FileSource {
  /** The entry at a path, or undefined when there is none. Rejects only when it cannot tell (damaged image, no descriptors left). */
  stat(path: CleanPath, who: Requester): Promise<Entry | undefined>
  /** What a folder holds, sorted by name; undefined when the path is no folder. */
  list(path: CleanPath, who: Requester): Promise<readonly Entry[] | undefined>
}
