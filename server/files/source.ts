import type { Decision } from '../core/boot/decision.ts'
import type { Requester } from '../core/net/requester.ts'
import type { CleanPath } from './path.ts'

export type EntryKind = 'file' | 'folder' | 'symlink'

/**
 * A file or folder in the namespace, also under the name of a symlink that leads to it. An entry is a value: it describes what the lookup found. `open`
 * gives exactly those bytes or fails, and never mixes two versions.
 */
export interface Entry {
  /** The last component of the path. Empty for the root. */
  readonly name: string
  /** Sources give files and folders. Only `linkItself` (entry.ts) makes a symlink of such an entry. */
  readonly kind: EntryKind
  /** In bytes. 0 for a folder; the length of the target for a symlink. */
  readonly size: number
  readonly modifiedMs: number
  /** A strong validator without its quotes: it changes whenever the bytes may have changed. */
  readonly etag: string
  /**
   * Set when this name is a symlink that may be shown as one: its target as written. The target is relative, and
   * no step of it leads above the root of the source. All else in the entry is that of the file or folder behind
   * the link. A link that leads elsewhere, such as to another tree, has no target here.
   */
  readonly target?: string
  /** The file on our own disk in which these bytes are contiguous, and the offset of the first byte. */
  readonly extent?: { readonly file: string; readonly offset: number }
  /** The bytes, when they are already in memory (generated text). May be used instead of `open`. */
  readonly content?: Uint8Array
  /**
   * The decision for the client that asked. A protocol copies it into the `served` event and does not read
   * it.
   */
  readonly decision?: Decision
  /**
   * Records what these bytes begin, such as an installation. A protocol awaits the claim before it sends the
   * first byte of this entry, for GET, RRQ, RETR and the first READ, and for no other request. When the claim
   * rejects with a Failure, the protocol must not send any byte.
   */
  readonly claim?: () => Promise<void>
  /** Random access to the bytes. Rejects with a Failure for folders. */
  open(): Promise<OpenFile>
}

/** An open file: positioned reads, any number at once. */
export interface OpenFile {
  readonly size: number
  /**
   * The descriptor and offset of the bytes, for system calls that send without reading. Valid until `close`.
   */
  readonly descriptor?: { readonly fd: number; readonly offset: number }
  /**
   * Reads up to `length` bytes at `position` into `target` at `offset`. Resolves to the number of bytes; 0 at
   * the end.
   */
  read(target: Uint8Array, offset: number, length: number, position: number): Promise<number>
  /** May be called twice. */
  close(): Promise<void>
}

/**
 * Anything that has files: a folder on disk, an ISO image, a table of generated texts, or several of these on
 * top of one another. The protocols know files by this interface alone.
 */
export interface FileSource {
  /**
   * The entry at a path. Undefined when the path does not exist. Rejects when it cannot find that out (the image
   * is damaged, no descriptor is left), and when the file exists without its bytes: they are cut off in an image,
   * or the text cannot be made.
   */
  stat(path: CleanPath, who: Requester): Promise<Entry | undefined>
  /**
   * The entries of a folder, sorted by name. Undefined when the path is not a folder. A file that `stat` rejects
   * is left out, or is listed and rejects at `open`.
   */
  list(path: CleanPath, who: Requester): Promise<readonly Entry[] | undefined>
}
