import { forEachAtOnce } from '../../host/pool.ts'
import type { OnProgress } from './progress.ts'
import { smallBytes } from './resumable-file.ts'
import type { FileFacts } from './tree-writer.ts'

export interface CopyOptions {
  readonly onProgress: OnProgress
  readonly signal?: AbortSignal
  /** Make hard links to the files of the source instead of copies, where the file system can. */
  readonly hardLink?: boolean
  /** The most bytes that an archive or image is unpacked to. Default: `imageLimits.unpacked`. */
  readonly maxUnpackedBytes?: number
}

const smallAtOnce = 6

/**
 * Calls `copy` for each file: first for the large ones, one after the other, which is fastest on a disk. Then
 * for the small ones, several at once, since creating names takes most of their time.
 */
export async function copyFiles<T extends FileFacts>(
  files: readonly T[],
  copy: (file: T) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const isLarge = ({ size }: T): boolean => size > smallBytes
  const small = files.filter((file) => !isLarge(file))
  await forEachAtOnce(files.filter(isLarge), 1, copy, signal)
  await forEachAtOnce(small, smallAtOnce, copy, signal)
}
