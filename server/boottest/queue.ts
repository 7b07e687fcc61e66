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
 * @param onPlace Called with the place, 1 for the next one, whenever it changes while there is somebody before us.
 * @returns What gives the turn to the next one.
 */
export async function waitForTurn(
  folder: string,
  onPlace: (place: number) => void,
): Promise<() => Promise<void>> {
  const line = join(folder, 'queue')
  await mkdir(line, { recursive: true })
  const own = `${String(Date.now()).padStart(15, '0')}-${process.pid}.lock`
  const release = await takeLock(join(line, own), { holderIs: 'waits for its boot test' })
  try {
    for (let shown = 0; ; await pause(lookEveryMs)) {
      const before = await countBefore(line, own)
      if (before === 0) break
      if (before !== shown) onPlace(before)
      shown = before
    }
    await removeLeftWork(folder)
    return release
  } catch (error) {
    await release()
    throw error
  }
}

async function countBefore(line: string, own: string): Promise<number> {
  let count = 0
  for (const name of await readdir(line)) {
    if (!name.endsWith('.lock') || name >= own) continue
    const file = join(line, name)
    if (await isLocked(file)) count++
    else await rm(file, { force: true })
  }
  return count
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
