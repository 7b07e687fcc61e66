import { type FileFacts, smallBytes } from './tree-writer.ts'

const smallAtOnce = 6

/**
 * Brings files in, in this order: large ones one after the other, for a disk is quickest so, then several small ones at
 * once, for they spend their time with names.
 */
export async function bringAll<T extends FileFacts>(
  files: readonly T[],
  bring: (file: T) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const isLarge = ({ size }: T): boolean => size > smallBytes
  const small = files.filter((file) => !isLarge(file))
  await several(files.filter(isLarge), 1, bring, signal)
  await several(small, smallAtOnce, bring, signal)
}

async function several<T>(
  files: readonly T[],
  atOnce: number,
  bring: (file: T) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const left = files.values()
  const failures: unknown[] = []
  const worker = async (): Promise<void> => {
    for (const file of left) {
      signal?.throwIfAborted()
      if (failures.length > 0) return
      await bring(file)
    }
  }
  // All have stopped before the failure is told: nobody writes here any more when the job is given free.
  const kept = () => worker().catch((error: unknown) => void failures.push(error))
  await Promise.all(Array.from({ length: atOnce }, kept))
  if (failures.length > 0) throw failures[0]
}
