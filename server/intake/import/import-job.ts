import { createHash } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { failureKind } from '../../core/failure.ts'
import { makeFolder, writeAtomically } from '../../host/atomic-write.ts'
import { isLocked, takeLock } from '../../host/lock.ts'
import { incomingFolder } from '../../versions/layout.ts'

/**
 * The folder of one import or mirror: `.treeboot/incoming/job-KEY`, with the unfinished tree in it. Clients
 * do not see its content. The folder stays after an interruption, so that the next run of the same source
 * continues there.
 */
export interface ImportJob {
  readonly folder: string
  /** The folder that is filled with the tree. */
  readonly tree: string
  /** The folder for files that are not complete yet. */
  readonly tempFolder: string
  /** Whether an earlier run left something to continue with. */
  readonly resumed: boolean
  /** Releases the lock; the folder stays for a resume. */
  release(): Promise<void>
  /** Removes the folder and releases the lock, when the work is done or given up. */
  discard(): Promise<void>
}

/** The content of `job.json`: what a second run needs to continue. */
interface ImportJobRecord {
  readonly source: string
  /** When this source was first begun, also by a run that left another content. */
  readonly startedMs: number
  /** Identifies the content of the source when the job began. When it differs, the job starts over. */
  readonly fingerprint: string
}

/**
 * Opens the job of a source. A second call with the same source opens the same folder, however the first run
 * ended.
 *
 * @param source Tells jobs from each other and names this one in messages: a real path, or `mirror URL`.
 * @param fingerprint See `ImportJobRecord`.
 * @throws Failure `conflict` while another process imports the same source.
 */
export async function openImportJob(trees: string, source: string, fingerprint: string): Promise<ImportJob> {
  const key = createHash('sha256').update(source).digest('hex').slice(0, 16)
  const folder = join(incomingFolder(trees), `job-${key}`)
  await makeFolder(folder)
  const unlock = await takeLock(lockFile(folder), { holderIs: `is importing ${source} already` })
  const previous = await readJobRecord(folder)
  const resumed = previous?.fingerprint === fingerprint
  const tree = join(folder, 'tree')
  const tempFolder = join(folder, 'aside')
  if (previous && !resumed)
    for (const old of [tree, tempFolder]) await rm(old, { recursive: true, force: true })
  const record: ImportJobRecord = { source, startedMs: previous?.startedMs ?? Date.now(), fingerprint }
  await writeAtomically(recordFile(folder), `${JSON.stringify(record)}\n`)
  await mkdir(tree, { recursive: true })
  return {
    folder,
    tree,
    tempFolder,
    resumed,
    release: unlock,
    async discard() {
      await removeJob(folder, unlock)
      await rmdir(incomingFolder(trees)).catch(() => undefined)
    },
  }
}

/**
 * Removes the folder of a job whose lock is held. The lock, which lies in it, is released when all else is gone.
 * A process that waits for the lock then makes the folder anew.
 */
async function removeJob(folder: string, unlock: () => Promise<void>): Promise<void> {
  const lock = basename(lockFile(folder))
  for (const name of await readdir(folder).catch(() => []))
    if (!name.startsWith(lock)) await rm(join(folder, name), { recursive: true, force: true })
  await unlock()
  await rmdir(folder).catch(() => undefined)
}

/** An import that was interrupted, refused or failed, and that no process continues now. */
export interface UnfinishedImport {
  readonly folder: string
  readonly source: string
  readonly startedMs: number
  /** When a file in it was last written. */
  readonly lastMs: number
  readonly bytes: number
}

/** Finds the jobs of `import` and `mirror` that have not finished and are not running. */
export async function unfinishedImports(trees: string): Promise<UnfinishedImport[]> {
  const incoming = incomingFolder(trees)
  const found: UnfinishedImport[] = []
  for (const name of (await readdir(incoming).catch(() => [])).sort()) {
    if (!name.startsWith('job-')) continue
    const folder = join(incoming, name)
    if (await isLocked(lockFile(folder))) continue
    const record = await readJobRecord(folder)
    const { bytes, lastMs } = await measureFolder(folder)
    const { source = 'an unknown source', startedMs = lastMs } = record ?? {}
    found.push({ folder, source, startedMs, lastMs, bytes })
  }
  return found
}

/**
 * Removes an import that `unfinishedImports` has found. One that a process has taken up meanwhile stays.
 */
export async function removeUnfinished({ folder, source }: UnfinishedImport): Promise<void> {
  try {
    await removeJob(folder, await takeLock(lockFile(folder), { holderIs: `is importing ${source} now` }))
  } catch (error) {
    if (failureKind(error) !== 'conflict') throw error
  }
}

async function measureFolder(folder: string): Promise<{ bytes: number; lastMs: number }> {
  let bytes = 0
  let lastMs = 0
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      const below = await measureFolder(path)
      bytes += below.bytes
      lastMs = Math.max(lastMs, below.lastMs)
    } else {
      const stats = await lstat(path).catch(() => undefined)
      bytes += stats?.size ?? 0
      // The mtime is copied from the source; the ctime tells when the file was written here.
      lastMs = Math.max(lastMs, stats?.ctimeMs ?? 0)
    }
  }
  return { bytes, lastMs }
}

function lockFile(folder: string): string {
  return join(folder, 'job.lock')
}

function recordFile(folder: string): string {
  return join(folder, 'job.json')
}

/** Undefined for a folder without a record: a crash came before the record was written. */
async function readJobRecord(folder: string): Promise<ImportJobRecord | undefined> {
  try {
    return JSON.parse(await readFile(recordFile(folder), 'utf8')) as ImportJobRecord
  } catch {
    return undefined
  }
}
