import { readdir, readlink, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Config } from '../../config/schema.ts'
import type { SnapshotProblem } from '../../core/problem.ts'

/** Entries of a folder that are looked at; what is deeper or later was hardly put there by hand. */
const mostEntries = 5000
const deepest = 2

/**
 * Symlinks in `trees/` and `tftpboot/` that lead out of them. Nobody is served what lies behind one, and without a word
 * the administrator who made it looks for his mistake everywhere else.
 */
export async function strayLinks({ trees, tftpboot }: Config['paths']): Promise<SnapshotProblem[]> {
  const found = await Promise.all([
    linksOut(trees, 'copy the tree here, bind-mount its folder (mount --bind), or set paths.trees'),
    linksOut(tftpboot, 'copy the file here, or set paths.tftpboot'),
  ])
  return found.flat()
}

async function linksOut(root: string, remedy: string): Promise<SnapshotProblem[]> {
  const real = await realpath(root).catch(() => undefined)
  if (real === undefined) return []
  const problems: SnapshotProblem[] = []
  const budget = { left: mostEntries }
  const look = async (folder: string, depth: number): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue
      if (budget.left-- <= 0) return
      const path = join(folder, entry.name)
      if (entry.isDirectory() && depth < deepest) await look(path, depth + 1)
      if (!entry.isSymbolicLink()) continue
      const target = await realpath(path).catch(() => undefined)
      if (target === real || target?.startsWith(real + sep)) continue
      // Discs bring links that lead to what only the full set of discs has.
      if (target === undefined && depth > 1) continue
      const leads = await readlink(path).catch(() => '?')
      const where = target === undefined ? 'to nothing' : 'out of this folder, and is not followed'
      problems.push({ severity: 'warning', where: path, message: `leads ${where}: ${leads}`, remedy })
    }
  }
  await look(real, 1)
  return problems
}
