import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { incomingFolder } from '../../versions/layout.ts'
import { isAtWork, readJob } from './staging.ts'

/** Something that was to be brought in, and that nobody works at now: stopped, refused, or failed. */
export interface LeftJob {
  readonly folder: string
  readonly source: string
  readonly startedMs: number
  /** When anything in it was last written. */
  readonly lastMs: number
  readonly bytes: number
}

/** The jobs of `import` and `mirror` that wait for a second run which may never come. */
export async function leftJobs(trees: string): Promise<LeftJob[]> {
  const incoming = incomingFolder(trees)
  const found: LeftJob[] = []
  for (const name of (await readdir(incoming).catch(() => [])).sort()) {
    if (!name.startsWith('job-')) continue
    const folder = join(incoming, name)
    if (await isAtWork(folder)) continue
    const known = await readJob(join(folder, 'job.json'))
    const { bytes, lastMs } = await sizeOf(folder)
    found.push({
      folder,
      source: known?.source ?? 'an unknown source',
      startedMs: known?.startedMs ?? lastMs,
      lastMs,
      bytes,
    })
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
      // Files keep the date of their source; when they came stands in the other one.
      lastMs = Math.max(lastMs, stats?.ctimeMs ?? 0)
    }
  }
  return { bytes, lastMs }
}
