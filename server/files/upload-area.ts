import type { CleanPath } from './path.ts'
import type { FileSource } from './source.ts'

/**
 * The folder to which administrators upload trees, over HTTP or FTP. A service sends every write here; the
 * implementation keeps the bytes, and decides when a tree is whole.
 *
 * All paths are relative to the area: `/fedora/40` for an upload to `/incoming/fedora/40`. Methods reject
 * with a Failure. Its kind becomes the reply code, and the administrator sees its message. So the message
 * names paths of the area, and never folders of this machine. Of other errors the administrator sees only the
 * kind.
 */
export interface UploadArea {
  /** Where the area appears, for example `/incoming`. Not the root. */
  readonly root: CleanPath
  /**
   * What has been uploaded so far, with partial files: SIZE, LIST and CWD look here, and a resumed upload
   * relies on it.
   */
  readonly files: FileSource
  /**
   * Opens a file for writing in a folder that exists. `from` beyond the end of the file is a `bad-request`.
   */
  openForWriting(path: CleanPath, from: WriteFrom): Promise<UploadFile>
  /** Makes a folder in a folder that exists. A path that exists already is a `conflict`. */
  makeFolder(path: CleanPath): Promise<void>
  /**
   * Moves a file or folder within the area. A file that has the new name is replaced; a folder that has it is
   * a `conflict`.
   */
  rename(from: CleanPath, to: CleanPath): Promise<void>
  removeFile(path: CleanPath): Promise<void>
  /** Removes an empty folder. A folder that is not empty is a `conflict`. */
  removeFolder(path: CleanPath): Promise<void>
  setModified(path: CleanPath, modifiedMs: number): Promise<void>
  /**
   * Verifies what is below `path` and publishes it as trees. Faults of the trees are in the report, not
   * thrown.
   */
  publish(path: CleanPath): Promise<PublishReport>
}

/**
 * Where a write begins. A number is the position of its first byte: the bytes before that position stay, the
 * others are removed. `end` is the position after the last byte.
 */
export type WriteFrom = number | 'end'

/** A file of the area that is open for writing. */
export interface UploadFile {
  /** Writes all of `bytes`. When it resolves, the caller may overwrite them. */
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when everything written so far is on the disk. */
  sync(): Promise<void>
  /**
   * The service calls `close` once for each file. `partial`: the connection broke, and the bytes that arrived
   * stay for a resumed upload.
   */
  close(outcome: 'complete' | 'partial'): Promise<void>
}

/** What became of a publication, in words for the administrator. */
export interface PublishReport {
  readonly outcome: 'published' | 'refused'
  /** One line for each published tree, with its name; or one line for each reason of the refusal. */
  readonly lines: readonly string[]
}
