import { createHash } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { writeAtomically } from '../../host/atomic-write.ts'
import { lockHolder, takeLock } from '../../host/lock.ts'
import { incomingFolder } from '../../versions/layout.ts'

/**
 * The folder of one import or mirror: `.treeboot/incoming/job-KEY`, with the tree that grows in it. Its
 * content is not offered to clients. It stays after an interruption, so that the next run of the same source
 * continues there.
 */
export interface ImportJob {
  readonly folder: string
  /** Where the tree grows. */
  readonly tree: string
  /** For files that are being written. */
  readonly tempFolder: string
  /** Whether an earlier run left something to continue with. */
  readonly resumed: boolean
  /** Releases the lock; the folder stays for a resume. */
  release(): Promise<void>
  /** Removes the folder: the work is done, or given up. */
  discard(): Promise<void>
}

/** What a second run must know to continue: `job.json`. */
interface ImportJobRecord {
  readonly source: string
  readonly startedMs: number
  /** What the source was when the job began; another file under the same name starts from the beginning. */
  readonly fingerprint: string
}

/**
 * Opens the job of a source. The same source finds the same folder again, however the run before it ended.
 *
 * @throws Failure `conflict` while another process works at the same source.
 */
export async function openImportJob(trees: string, source: string, fingerprint: string): Promise<ImportJob> {
  const key = createHash('sha256').update(source).digest('hex').slice(0, 16)
  const folder = join(incomingFolder(trees), `job-${key}`)
  await mkdir(folder, { recursive: true })
  const unlock = await takeLock(lockFile(folder), `is importing ${source} already`)
  const known = await readJobRecord(folder)
  const resumed = known?.fingerprint === fingerprint
  const tree = join(folder, 'tree')
  const tempFolder = join(folder, 'aside')
  if (known && !resumed) for (const old of [tree, tempFolder]) await rm(old, { recursive: true, force: true })
  const record: ImportJobRecord = { source, startedMs: known?.startedMs ?? Date.now(), fingerprint }
  await writeAtomically(recordFile(folder), `${JSON.stringify(record)}\n`)
  await mkdir(tree, { recursive: true })
  return {
    folder,
    tree,
    tempFolder,
    resumed,
    release: unlock,
    async discard() {
      await rm(tree, { recursive: true, force: true })
      await rm(folder, { recursive: true, force: true })
      await rmdir(incomingFolder(trees)).catch(() => undefined)
    },
  }
}

/** An import that was interrupted, refused or failed, and at which no process works now. */
export interface UnfinishedImport {
  readonly folder: string
  readonly source: string
  readonly startedMs: number
  /** When anything in it was last written. */
  readonly lastMs: number
  readonly bytes: number
}

/** The jobs of `import` and `mirror` that wait for a second run, which may never come. */
export async function unfinishedImports(trees: string): Promise<UnfinishedImport[]> {
  const incoming = incomingFolder(trees)
  const found: UnfinishedImport[] = []
  for (const name of (await readdir(incoming).catch(() => [])).sort()) {
    if (!name.startsWith('job-')) continue
    const folder = join(incoming, name)
    if ((await lockHolder(lockFile(folder))) !== undefined) continue
    const record = await readJobRecord(folder)
    const { bytes, lastMs } = await sizeOf(folder)
    const { source = 'an unknown source', startedMs = lastMs } = record ?? {}
    found.push({ folder, source, startedMs, lastMs, bytes })
  }
  return found
}

async function sizeOf(folder: string): Promise<{ bytes: number; lastMs: number }> {
  let bytes = 0
  let lastMs = 0
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      const below = await sizeOf(path)
      bytes += below.bytes
      lastMs = Math.max(lastMs, below.lastMs)
    } else {
      const stats = await lstat(path).catch(() => undefined)
      bytes += stats?.size ?? 0
      // The mtime is that of the source; the ctime is when the file was written here.
      lastMs = Math.max(lastMs, stats?.ctimeMs ?? 0)
    }
  }
  return { bytes, lastMs }
}

function lockFile(folder: string): string {
  return join(folder, 'lock')
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
