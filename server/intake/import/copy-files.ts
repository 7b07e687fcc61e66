import { forEachAtOnce } from '../../host/pool.ts'
import type { OnProgress } from './progress.ts'
import { smallBytes } from './resumable-file.ts'
import type { FileFacts } from './tree-writer.ts'

export interface CopyOptions {
  readonly onProgress: OnProgress
  readonly signal?: AbortSignal
  /** Make hard links to files of this machine, where their file system can. */
  readonly hardLink?: boolean
}

const smallAtOnce = 6

/**
 * Copies files in this order: large ones one after the other, which is quickest for a disk, then several
 * small ones at once, since most of their time goes into names.
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
