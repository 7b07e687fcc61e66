import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { isLocked, takeLock } from '../host/lock.ts'

const lookEveryMs = 500

/**
 * Waits for the turn of this process: boot tests run one at a time, in the order in which they came. A place in the line is a
 * file that its process holds locked; the kernel drops the lock of a process that was killed, and the next one removes
 * what it left.
 *
 * @param folder See `bootTestFolder`.
 * @param onPlace Called with the place, 1 for the next one, and with how many wait, whenever one of them changes while there
 *   is somebody before us.
 * @returns What gives the turn to the next one.
 */
export async function waitForTurn(
  folder: string,
  onPlace: (place: number, waiting: number) => void,
): Promise<() => Promise<void>> {
  const line = join(folder, 'queue')
  await mkdir(line, { recursive: true })
  const own = `${String(Date.now()).padStart(15, '0')}-${process.pid}.lock`
  const release = await takeLock(join(line, own), { holderIs: 'waits for its boot test' })
  try {
    for (let shown = ''; ; await pause(lookEveryMs)) {
      const { before, after } = await countOthers(line, own)
      if (before === 0) break
      // The first of them runs; all others wait, and so do we.
      const now = `${before} of ${before + after}`
      if (now !== shown) onPlace(before, before + after)
      shown = now
    }
    await removeLeftWork(folder)
    return release
  } catch (error) {
    await release()
    throw error
  }
}

async function countOthers(line: string, own: string): Promise<{ before: number; after: number }> {
  let before = 0
  let after = 0
  for (const name of await readdir(line)) {
    if (!name.endsWith('.lock') || name === own) continue
    const file = join(line, name)
    if (!(await isLocked(file))) {
      // Of a process that was killed; one that comes just now has not locked its own yet.
      if (name < own) await rm(file, { force: true })
    } else if (name < own) before++
    else after++
  }
  return { before, after }
}

/** The folder for the files of the test whose turn it is. */
export function workFolder(folder: string): string {
  return join(folder, `work-${process.pid}`)
}

/** Nobody but the one whose turn it is has such a folder: all that are there were left. */
async function removeLeftWork(folder: string): Promise<void> {
  for (const name of await readdir(folder))
    if (name.startsWith('work-')) await rm(join(folder, name), { recursive: true, force: true })
}
