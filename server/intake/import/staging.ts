import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAtomically } from '../../host/atomic-write.ts'
import { lockHolder, takeLock } from '../../host/lock.ts'
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
  const unlock = await takeLock(join(folder, 'lock'), `is importing ${source} already`)
  const file = join(folder, 'job.json')
  const known = await readJob(file)
  const resumed = known?.fingerprint === fingerprint
  const tree = join(folder, 'tree')
  const asides = join(folder, 'aside')
  if (known && !resumed) for (const old of [tree, asides]) await rm(old, { recursive: true, force: true })
  const record: JobRecord = { source, startedMs: known?.startedMs ?? Date.now(), fingerprint }
  await writeAtomically(file, `${JSON.stringify(record)}\n`)
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

/** Whether a process that still runs works in this folder of a job. */
export async function isAtWork(folder: string): Promise<boolean> {
  return (await lockHolder(join(folder, 'lock'))) !== undefined
}
