import type { Dirent } from 'node:fs'
import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { watch } from 'chokidar'
import { failureMessage } from '../core/failure.ts'
import type { SnapshotProblem } from '../core/problem.ts'
import { isTemporaryFile } from '../core/tree/names.ts'
import { isInside } from '../host/paths.ts'

/** The longest real kickstart that we know of has 150 kB; a picture or an archive is no template. */
const maxTemplateBytes = 1 << 20
const maxTemplates = 5000
const maxDepth = 16

export interface Templates {
  /** Path below the folder -> text, sorted by path. */
  readonly texts: ReadonlyMap<string, string>
  readonly problems: readonly SnapshotProblem[]
}

/** Reads all templates and snippets. Symlinks are followed inside the folder; what is no UTF-8 text is told and left out. */
export async function readTemplates(folder: string): Promise<Templates> {
  const problems: SnapshotProblem[] = []
  const note = (path: string, message: string, remedy: string) =>
    problems.push({ severity: 'warning', where: join(folder, path), message, remedy })
  const texts = new Map<string, string>()
  const root = await realpath(folder).catch(() => undefined)
  if (root === undefined) {
    note('', 'there is no such folder, so there are no templates', 'make it, or set paths.templates')
    return { texts, problems }
  }
  for (const path of (await filesBelow(root, root, '', 0)).sort()) {
    if (texts.size >= maxTemplates) {
      note(path, `more than ${maxTemplates} templates; this and the following are left out`, 'move some away')
      break
    }
    try {
      const text = await readTemplate(join(root, path))
      if (typeof text === 'string') texts.set(path, text)
      else note(path, text.trouble, 'keep only UTF-8 text files here')
    } catch (error) {
      // Deleted while we read: an editor that renames, and the watch tells again.
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
  if (bytes.includes(0)) return { trouble: 'is no text file' }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return { trouble: 'is not UTF-8 text' }
  }
}

async function filesBelow(root: string, folder: string, prefix: string, depth: number): Promise<string[]> {
  if (depth > maxDepth) return []
  const items = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => [])
  const files: string[] = []
  for (const item of items) {
    if (item.name.startsWith('.') || isTemporaryFile(item.name)) continue
    const path = `${prefix}${item.name}`
    const real = item.isSymbolicLink()
      ? await realpath(join(folder, item.name)).catch(() => undefined)
      : join(folder, item.name)
    if (real === undefined || !isInside(root, real)) continue
    const kind = item.isSymbolicLink() ? await stat(real).catch(() => undefined) : item
    if (kind?.isFile()) files.push(path)
    // A link to a folder above would show everything again and again.
    else if (kind?.isDirectory() && !isInside(real, folder))
      files.push(...(await filesBelow(root, real, `${path}/`, depth + 1)))
  }
  return files
}

/** Calls back when something in the templates folder changed. Resolves once the watch is in place. */
export async function watchTemplates(folder: string, onChange: () => void): Promise<() => Promise<void>> {
  const watcher = watch(folder, { ignoreInitial: true, followSymlinks: false, depth: maxDepth })
  watcher.on('all', onChange)
  // Without a watch, the periodic look finds the change.
  watcher.on('error', () => undefined)
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()))
  return () => watcher.close()
}
