import type { CleanPath } from '../../files/path.ts'
import type { FileSource } from '../../files/source.ts'

/**
 * Where administrators upload trees to. The service shows it in their namespace, and sends every write here; whoever
 * implements it keeps the bytes, and decides when a tree is whole.
 *
 * All paths are relative to the area: `/fedora/40` for an upload to `/incoming/fedora/40`. Methods reject with a
 * Failure. Its kind becomes the reply code and its message is shown to the administrator, so it speaks of paths of
 * the area and never of folders of this machine; other errors are shown by their kind alone.
 */
export interface UploadArea {
  /** Where the area appears, for example `/incoming`. Not the root. */
  readonly root: CleanPath
  /** What has been uploaded so far, half files included: SIZE, LIST and CWD look here, and a resumed upload counts on it. */
  readonly files: FileSource
  /** Opens a file for writing; its folder must be there. `offset` more than the file has: `bad-request`. */
  openForWriting(path: CleanPath, from: WriteFrom): Promise<UploadFile>
  makeFolder(path: CleanPath): Promise<void>
  /** Moves a file or folder within the area. A file that is there under the new name is replaced; a folder is a `conflict`. */
  rename(from: CleanPath, to: CleanPath): Promise<void>
  removeFile(path: CleanPath): Promise<void>
  /** Only empty folders; others are a `conflict`. */
  removeFolder(path: CleanPath): Promise<void>
  setModified(path: CleanPath, modifiedMs: number): Promise<void>
  /** Verifies what is below `path` and publishes it as trees. What is wrong with it is in the report, not thrown. */
  publish(path: CleanPath): Promise<PublishReport>
}

/** A number: at this byte; all before it stays, all after it goes. `end`: after what is there. */
export type WriteFrom = number | 'end'

export interface UploadFile {
  /** Takes all of `bytes`, which the caller may overwrite afterwards. */
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when all that was written has reached the disk. */
  sync(): Promise<void>
  /** `partial`: the connection broke. What came stays, for a resumed upload. Called once, always. */
  close(outcome: 'complete' | 'partial'): Promise<void>
}

export interface PublishReport {
  readonly outcome: 'published' | 'refused'
  /** What was published under which name, or every reason against it: one line each. */
  readonly lines: readonly string[]
}
