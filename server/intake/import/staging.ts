import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, rmdir, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../../core/failure.ts'
import { writeDurably } from '../../host/durable.ts'
import { incomingFolder } from '../../versions/layout.ts'

/** What a second run must know to go on where the first stopped. */
export interface JobRecord {
  readonly source: string
  readonly startedMs: number
  /** What the source was when the job began: another file under the same name begins anew. */
  readonly fingerprint: string
}

/** A folder of its own for bringing one source in, invisible to everyone, and the right to be the only one at it. */
export interface Job {
  readonly folder: string
  /** Where the tree grows. */
  readonly tree: string
  /** For files that are being written. */
  readonly asides: string
  /** Whether an earlier run left something to go on with. */
  readonly resumed: boolean
  /** Gives the folder free for a later run to go on with. */
  release(): Promise<void>
  /** Removes it: the work is done, or given up. */
  discard(): Promise<void>
}

/**
 * Opens the job of a source. The same source finds the same folder again, whatever happened to the run before.
 *
 * @throws Failure `conflict` while another process works at it.
 */
export async function openJob(trees: string, source: string, fingerprint: string): Promise<Job> {
  const key = createHash('sha256').update(source).digest('hex').slice(0, 16)
  const folder = join(incomingFolder(trees), `job-${key}`)
  await mkdir(folder, { recursive: true })
  const unlock = await lock(join(folder, 'lock'), source)
  const file = join(folder, 'job.json')
  const known = await readJob(file)
  const resumed = known?.fingerprint === fingerprint
  const tree = join(folder, 'tree')
  const asides = join(folder, 'aside')
  if (known && !resumed) for (const old of [tree, asides]) await rm(old, { recursive: true, force: true })
  const record: JobRecord = { source, startedMs: known?.startedMs ?? Date.now(), fingerprint }
  await writeDurably(file, `${JSON.stringify(record)}\n`)
  await mkdir(tree, { recursive: true })
  return {
    folder,
    tree,
    asides,
    resumed,
    release: unlock,
    async discard() {
      await rm(tree, { recursive: true, force: true })
      await rm(folder, { recursive: true, force: true })
      await rmdir(incomingFolder(trees)).catch(() => undefined)
    },
  }
}

/** Undefined for a folder that is none, or that was cut off before it became one. */
export async function readJob(file: string): Promise<JobRecord | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as JobRecord
  } catch {
    return undefined
  }
}

/** A file that holds the process id of who works here. One whose process is gone was left by a crash. */
async function lock(file: string, source: string): Promise<() => Promise<void>> {
  for (let tries = 0; tries < 3; tries++) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' })
      return () => unlink(file).catch(() => undefined)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = Number(await readFile(file, 'utf8').catch(() => ''))
    if (holder > 0 && holder !== process.pid && isRunning(holder))
      throw new Failure('conflict', `process ${holder} is bringing in ${source} already`)
    await unlink(file).catch(() => undefined)
  }
  throw new Failure('conflict', `another process is bringing in ${source} already`)
}

/** Whether a process that still runs works in this folder of a job. */
export async function isAtWork(folder: string): Promise<boolean> {
  const holder = Number(await readFile(join(folder, 'lock'), 'utf8').catch(() => ''))
  return holder > 0 && isRunning(holder)
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
