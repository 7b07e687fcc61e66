import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { findTemplates, type NoteProblem } from '../config/find-templates.ts'
import { failureMessage } from '../core/failure.ts'
import { configurationLimits } from '../core/limits/configuration.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { forEachAtOnce } from '../host/pool.ts'
import { readAtMost } from '../host/read-at-most.ts'

/** The longest real kickstart that we know of has 150 kB. Pictures and archives are not templates. */
const maxTemplateBytes = configurationLimits.templates.bytes
const maxBytesTogether = configurationLimits.allTemplates.bytes
/** Templates that are read at once. With more of them, requests would wait for the thread pool. */
const readConcurrency = 16

/** What the templates folder holds, and what is wrong in it. */
export interface Templates {
  /** Path below the folder -> text, sorted by path. */
  readonly texts: ReadonlyMap<string, string>
  readonly problems: readonly SnapshotProblem[]
}

/**
 * Reads all templates and snippets. Symlinks are followed inside the folder. A file that is not UTF-8 text is
 * left out and becomes a problem.
 */
export async function readTemplates(folder: string): Promise<Templates> {
  const problems: SnapshotProblem[] = []
  const note: NoteProblem = (path, message, remedy) =>
    problems.push({ severity: 'warning', where: join(folder, path), message, remedy })
  const texts = new Map<string, string>()
  const root = await realpath(folder).catch(() => undefined)
  if (root === undefined) {
    note('', 'the folder is missing, so there are no templates', 'make it, or set paths.templates')
    return { texts, problems }
  }
  const paths = await findTemplates(root, note)
  const read = new Map<string, string>()
  let readBytes = 0
  await forEachAtOnce(paths, readConcurrency, async (path) => {
    // With so much read before this one, it is beyond the limit, whichever of those before are still being read.
    if (readBytes > maxBytesTogether) return
    try {
      const text = await readTemplate(join(root, path))
      if (typeof text === 'string') {
        read.set(path, text)
        readBytes += Buffer.byteLength(text)
      } else note(path, text.trouble, 'keep only UTF-8 text files here')
    } catch (error) {
      // Editors rename files while we read; the watch reports that, and the templates are read again.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        note(path, `cannot be read: ${failureMessage(error)}`, 'allow treeboot to read it')
    }
  })
  let bytes = 0
  for (const path of paths) {
    const text = read.get(path)
    if (text === undefined) continue
    bytes += Buffer.byteLength(text)
    if (bytes > maxBytesTogether) {
      const message = `with it the templates have more than ${maxBytesTogether} bytes; it and those after it are left out`
      note(path, message, 'keep only templates here')
      break
    }
    texts.set(path, text)
  }
  return { texts, problems: problems.sort(byPlace) }
}

function byPlace(a: SnapshotProblem, b: SnapshotProblem): number {
  return a.where < b.where ? -1 : 1
}

async function readTemplate(file: string): Promise<string | { trouble: string }> {
  const bytes = await readAtMost(file, maxTemplateBytes)
  if (!bytes) return { trouble: `has more than ${maxTemplateBytes} bytes` }
  if (bytes.includes(0)) return { trouble: 'is not a text file' }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return { trouble: 'is not UTF-8 text' }
  }
}

/** A text that differs whenever a template may differ, and when the newest of them was changed; in ms since 1970. */
export async function templatesState(folder: string): Promise<{ text: string; newestMs: number }> {
  const root = await realpath(folder).catch(() => undefined)
  if (root === undefined) return { text: '', newestMs: 0 }
  const paths = await findTemplates(root, () => undefined)
  const states = new Map<string, string>()
  let newestMs = 0
  await forEachAtOnce(paths, readConcurrency, async (path) => {
    const stats = await stat(join(root, path), { bigint: true }).catch(() => undefined)
    if (!stats) return
    const { ino, size, mtimeNs, ctimeNs, ctimeMs } = stats
    states.set(path, [ino, size, mtimeNs, ctimeNs].join(' '))
    newestMs = Math.max(newestMs, Number(ctimeMs))
  })
  return { text: paths.map((path) => `${path}\0${states.get(path)}`).join('\n'), newestMs }
}
