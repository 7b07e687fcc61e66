import { readFile, unlink, writeFile } from 'node:fs/promises'
import { Failure } from '../core/failure.ts'

/**
 * A lock between processes of one machine: a file that holds the process id of its holder. A lock whose
 * process has ended was left by a crash and is taken over. Within one process it excludes nobody.
 *
 * @param holderIs What the holder does, for the message: `is importing disc.iso already`.
 * @returns What releases the lock.
 * @throws Failure `conflict` while another process holds it.
 */
export async function takeLock(file: string, holderIs: string): Promise<() => Promise<void>> {
  // Another process may release or take the lock between these steps: then look again.
  for (let tries = 0; tries < 3; tries++) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' })
      return () => unlink(file).catch(() => undefined)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = await lockHolder(file)
    // Our own id was left by a process before us: in a container every start has the same id.
    if (holder !== undefined && holder !== process.pid)
      throw new Failure('conflict', `process ${holder} ${holderIs}`)
    await unlink(file).catch(() => undefined)
  }
  throw new Failure('conflict', `another process ${holderIs}`)
}

/**
 * The id of the running process that holds a lock; undefined when the lock is free or its process has ended.
 */
export async function lockHolder(file: string): Promise<number | undefined> {
  const holder = Number(await readFile(file, 'utf8').catch(() => ''))
  return holder > 0 && isRunning(holder) ? holder : undefined
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: the process runs, as another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
