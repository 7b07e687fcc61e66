import { readdir, readlink, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../config/schema.ts'
import type { SnapshotProblem } from '../../core/problem.ts'
import { isInside } from '../../host/paths.ts'

/**
 * How many entries below a folder are looked at, and how deep. Links that people make by hand are at the top.
 */
const maxEntries = 5000
const maxDepth = 2

/**
 * Symlinks in `trees/` and `tftpboot/` that lead out of them. Services do not follow them. Without a message,
 * the administrator who made such a link would search for the mistake elsewhere.
 */
export async function strayLinks({ trees, tftpboot }: Config['paths']): Promise<SnapshotProblem[]> {
  const found = await Promise.all([
    strayLinksIn(trees, 'copy the tree here, bind-mount its folder (mount --bind), or set paths.trees'),
    strayLinksIn(tftpboot, 'copy the file here, or set paths.tftpboot'),
  ])
  return found.flat()
}

async function strayLinksIn(root: string, remedy: string): Promise<SnapshotProblem[]> {
  const real = await realpath(root).catch(() => undefined)
  if (real === undefined) return []
  const problems: SnapshotProblem[] = []
  for (const { path, depth } of await linksBelow(real)) {
    const message = await strayReason(path, depth, real)
    if (message !== undefined) problems.push({ severity: 'warning', where: path, message, remedy })
  }
  return problems
}

interface FoundLink {
  readonly path: string
  /** 1 for a link directly in the folder. */
  readonly depth: number
}

async function linksBelow(root: string): Promise<readonly FoundLink[]> {
  const links: FoundLink[] = []
  let entriesLeft = maxEntries
  const search = async (folder: string, depth: number): Promise<void> => {
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      if (entry.name.startsWith('.')) continue
      if (entriesLeft-- <= 0) return
      const path = join(folder, entry.name)
      if (entry.isDirectory() && depth < maxDepth) await search(path, depth + 1)
      if (entry.isSymbolicLink()) links.push({ path, depth })
    }
  }
  await search(root, 1)
  return links
}

/** Why a link is not followed; undefined when it is followed, or is not worth a problem. */
async function strayReason(path: string, depth: number, root: string): Promise<string | undefined> {
  const target = await realpath(path).catch(() => undefined)
  if (target !== undefined && isInside(root, target)) return undefined
  // Single discs have links to files that only the full set of discs holds.
  if (target === undefined && depth > 1) return undefined
  const written = await readlink(path).catch(() => '?')
  const where = target === undefined ? 'to nothing' : 'out of this folder, and is not followed'
  return `leads ${where}: ${written}`
}
