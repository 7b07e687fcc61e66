import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A disk of 64 MiB in memory, which a test fills up to the last byte and empties again. */
export interface SmallDisk {
  fillUp(): void
  makeRoom(): void
}

/**
 * Mounts a small disk on a folder until the test ends. Needs root.
 *
 * @param beforeUnmount Stops what uses the disk.
 */
export function mountSmallDisk(folder: string, beforeUnmount: () => Promise<void>): SmallDisk {
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', folder])
  onTestFinished(async () => {
    await beforeUnmount()
    execFileSync('umount', [folder])
  })
  const filling = join(folder, 'fill')
  return {
    fillUp() {
      for (let bytes = 4 << 20; bytes >= 1; bytes >>= 1)
        try {
          for (;;) appendFileSync(filling, Buffer.alloc(bytes, 1))
        } catch {
          // ENOSPC: a smaller piece may still fit.
        }
    },
    makeRoom: () => rmSync(filling),
  }
}
