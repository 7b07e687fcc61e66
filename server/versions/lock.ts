import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pLimit, { type LimitFunction } from 'p-limit'
import { Failure } from '../core/failure.ts'
import { makeFolder } from '../host/atomic-write.ts'
import { takeLock } from '../host/lock.ts'
import { ownFolder } from './layout.ts'

/** Publishing holds the lock for some renames and syncs. A disk that is busy with them may take seconds. */
const longestWaitMs = 60_000
const lookEveryMs = 20

/** The work that waits in this process, by the path of `trees/`: the lock excludes other processes only. */
const turns = new Map<string, LimitFunction>()

/**
 * Does what changes the versions of trees: one such work at a time, among all processes of this machine. So
 * whoever holds the lock knows that a half-made version, a temporary link or an unfinished publication was
 * left by a process that has ended, however old it is.
 *
 * @throws Failure `conflict` when another process holds the lock for a minute.
 */
export function exclusively<T>(trees: string, work: () => Promise<T>): Promise<T> {
  const turn = turns.get(trees) ?? pLimit(1)
  turns.set(trees, turn)
  return turn(async () => {
    const unlock = await waitForLock(trees)
    try {
      return await work()
    } finally {
      await unlock()
    }
  })
}

async function waitForLock(trees: string): Promise<() => Promise<void>> {
  await makeFolder(join(trees, ownFolder))
  const file = join(trees, ownFolder, 'switching.lock')
  for (const end = performance.now() + longestWaitMs; ; ) {
    try {
      return await takeLock(file, { holderIs: `is publishing or removing a version of a tree (${file})` })
    } catch (error) {
      const isHeld = error instanceof Failure && error.kind === 'conflict'
      if (!isHeld || performance.now() > end) throw error
    }
    await pause(lookEveryMs)
  }
}
