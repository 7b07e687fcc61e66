import { lstat, readdir, rm, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ownFolder, versionsFolder } from './layout.ts'
import { exclusively } from './lock.ts'
import { clearPlace } from './public-link.ts'

/**
 * What processes that were killed left in `.treeboot/`, beside unfinished imports: versions that were half
 * deleted, new links that were not renamed, records without content, numbers that were reserved, temporary
 * files of records. Nothing reads any of it.
 *
 * A running publication makes such files, too, and has them only while it holds the lock. So `removeLeftovers`
 * looks under the lock, and needs neither the age of a file nor the process id in its name: a container uses the
 * same id at each start, and another container cannot see it.
 */
export async function leftovers(trees: string): Promise<string[]> {
  const own = join(trees, ownFolder)
  const found = (await readdir(own).catch(() => []))
    .filter((name) => name.startsWith('removed-') || name.startsWith('switch-'))
    .map((name) => join(own, name))
  for (const folder of await readdir(versionsFolder(trees)).catch(() => []))
    found.push(...(await leftoversOfId(join(versionsFolder(trees), folder))))
  return found.sort()
}

/** Removes the leftovers, and the folders of ids of which nothing else is left. Returns what it removed. */
export function removeLeftovers(trees: string): Promise<readonly string[]> {
  return exclusively(trees, async () => {
    const found = await leftovers(trees)
    for (const path of found) {
      const stats = await lstat(path).catch(() => undefined)
      const isTrash = path.startsWith(join(trees, ownFolder, 'removed-'))
      // Not recursively: a version that is not empty after all stays.
      if (stats?.isDirectory() && !isTrash) await clearPlace(path)
      else await rm(path, { recursive: isTrash, force: true })
    }
    for (const folder of await readdir(versionsFolder(trees)).catch(() => []))
      await removeIfEmpty(join(versionsFolder(trees), folder))
    return found
  })
}

async function leftoversOfId(folder: string): Promise<string[]> {
  const items = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const full = new Set<string>()
  for (const { name } of items.filter((item) => item.isDirectory()))
    if ((await readdir(join(folder, name)).catch(() => ['?'])).length > 0) full.add(name)
  return items
    .filter((item) => {
      const [, number, isRecord] = /^(\d+)(\.json)?$/.exec(item.name) ?? []
      if (number !== undefined) return !full.has(number) && (isRecord !== undefined || !item.isFile())
      return item.name.startsWith('.') && item.name.endsWith('.tmp')
    })
    .map(({ name }) => join(folder, name))
}

/** Removes the folder of an id in which only the history is left. */
async function removeIfEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => ['?'])
  if (names.some((name) => name !== 'history')) return
  await rm(join(folder, 'history'), { force: true })
  await rmdir(folder).catch(() => undefined)
}

/**
 * Temporary files in the data folder that are older than this were left by a killed process: writing one takes
 * seconds. The server that writes them holds no lock that a command could ask for.
 */
const oldMs = 86_400_000

/** The temporary files of `writeAtomically` that lie in a folder since yesterday. */
export async function oldTempFiles(folder: string, nowMs: number): Promise<string[]> {
  const found: string[] = []
  for (const name of await readdir(folder).catch(() => [])) {
    if (!/^\..+\.\d+\.[0-9a-f]{12}\.tmp$/.test(name)) continue
    const stats = await stat(join(folder, name)).catch(() => undefined)
    if (stats && nowMs - stats.mtimeMs > oldMs) found.push(join(folder, name))
  }
  return found
}
