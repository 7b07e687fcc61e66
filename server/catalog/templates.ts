import type { Dirent } from 'node:fs'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { watch } from 'chokidar'
import { failureMessage } from '../core/failure.ts'
import { configurationLimits } from '../core/limits/configuration.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { isTemporaryFile } from '../core/tree/names.ts'
import { isInside } from '../host/paths.ts'

/** The longest real kickstart that we know of has 150 kB. Pictures and archives are not templates. */
const maxTemplateBytes = configurationLimits.templates.bytes
/** All templates are in memory. */
const maxTemplates = configurationLimits.templates.entries
/** Two folders with symlinks to each other would be followed without end. */
const maxDepth = configurationLimits.templates.depth

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
  const note = (path: string, message: string, remedy: string) =>
    problems.push({ severity: 'warning', where: join(folder, path), message, remedy })
  const texts = new Map<string, string>()
  const root = await realpath(folder).catch(() => undefined)
  if (root === undefined) {
    note('', 'the folder is missing, so there are no templates', 'make it, or set paths.templates')
    return { texts, problems }
  }
  for (const path of (await filesBelow({ root, folder: root, prefix: '', depth: 0 })).sort()) {
    if (texts.size >= maxTemplates) {
      note(path, `more than ${maxTemplates} templates; this and the following are left out`, 'move some away')
      break
    }
    try {
      const text = await readTemplate(join(root, path))
      if (typeof text === 'string') texts.set(path, text)
      else note(path, text.trouble, 'keep only UTF-8 text files here')
    } catch (error) {
      // Editors rename files while we read; the watch reports that, and the templates are read again.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        note(path, `cannot be read: ${failureMessage(error)}`, 'allow treeboot to read it')
    }
  }
  return { texts, problems }
}

async function readTemplate(file: string): Promise<string | { trouble: string }> {
  const { size } = await stat(file)
  if (size > maxTemplateBytes)
    return { trouble: `is ${size} bytes; a template of more than ${maxTemplateBytes} is not read` }
  const bytes = await readFile(file)
  if (bytes.includes(0)) return { trouble: 'is not a text file' }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return { trouble: 'is not UTF-8 text' }
  }
}

interface SearchedFolder {
  /** Real path of all templates. */
  readonly root: string
  /** Real path of this folder. */
  readonly folder: string
  /** What the paths of files in this folder begin with: '' or `snippets/`. */
  readonly prefix: string
  readonly depth: number
}

async function filesBelow(searched: SearchedFolder): Promise<string[]> {
  const { folder, prefix, depth } = searched
  if (depth > maxDepth) return []
  const items = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => [])
  const files: string[] = []
  for (const item of items) {
    if (item.name.startsWith('.') || isTemporaryFile(item.name)) continue
    const path = `${prefix}${item.name}`
    const found = await followItem(searched, item)
    if (found?.kind === 'file') files.push(path)
    if (found?.kind === 'folder')
      files.push(
        ...(await filesBelow({ ...searched, folder: found.real, prefix: `${path}/`, depth: depth + 1 })),
      )
  }
  return files
}

/**
 * The kind and the real path of an item, after following symlinks. Undefined for a link that leads out of the
 * folder, and for anything that is not a file or folder.
 */
async function followItem(
  { root, folder }: SearchedFolder,
  item: Dirent,
): Promise<{ readonly kind: 'file' | 'folder'; readonly real: string } | undefined> {
  const path = join(folder, item.name)
  if (item.isFile()) return { kind: 'file', real: path }
  if (item.isDirectory()) return { kind: 'folder', real: path }
  const real = item.isSymbolicLink() ? await realpath(path).catch(() => undefined) : undefined
  if (real === undefined || !isInside(root, real)) return undefined
  const stats = await stat(real).catch(() => undefined)
  if (stats?.isFile()) return { kind: 'file', real }
  // A link to a folder above would show everything again and again.
  return stats?.isDirectory() && !isInside(real, folder) ? { kind: 'folder', real } : undefined
}

/**
 * Calls back when something in the templates folder changed. Resolves when the watch works, to a function
 * that ends it.
 */
export async function watchTemplates(folder: string, onChange: () => void): Promise<() => Promise<void>> {
  const watcher = watch(folder, { ignoreInitial: true, followSymlinks: false, depth: maxDepth })
  watcher.on('all', onChange)
  // Without a watch, the periodic rescan finds the change.
  watcher.on('error', () => undefined)
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()))
  return () => watcher.close()
}
