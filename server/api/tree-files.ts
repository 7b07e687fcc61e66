import { Failure } from '../core/failure.ts'
import type { Requester } from '../core/net/requester.ts'
import type { Tree } from '../core/tree/tree.ts'
import { type CleanPath, cleanPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { timeText } from './views.ts'

interface FilesAsked {
  /** Below the tree. */
  readonly folder: CleanPath
  readonly bootOnly: boolean
  readonly who: Requester
}

/**
 * Files of a tree, as clients see them: those of a folder, or all images that boot.
 *
 * @throws Failure `not-found` when there is no such folder.
 */
export async function filesOfTree(source: FileSource, tree: Tree, { folder, bootOnly, who }: FilesAsked) {
  const roles = rolesIn(tree)
  const found: { path: string; entry: Entry }[] = []
  const top = cleanPath(`/trees/${tree.id}`)
  if (bootOnly) {
    for (const path of roles.keys()) {
      const entry = await source.stat(cleanPath(`${top}/${path}`), who).catch(() => undefined)
      if (entry) found.push({ path, entry })
    }
  } else {
    const entries = await source.list(cleanPath(`${top}/${folder}`), who)
    if (!entries) throw new Failure('not-found', `${tree.id} has no folder ${folder.slice(1) || '/'}`)
    for (const entry of entries) found.push({ path: cleanPath(`${folder}/${entry.name}`).slice(1), entry })
  }
  return found.map(({ path, entry }) => ({
    path,
    kind: entry.target === undefined ? entry.kind : ('symlink' as const),
    bytes: entry.size,
    modified: timeText(entry.modifiedMs),
    sha256: tree.sha256[path] ?? null,
    expected: expectedOf(tree, path),
    role: roles.get(path) ?? null,
  }))
}

function expectedOf({ checksums }: Tree, path: string): string | null {
  const digest = checksums[path]
  return digest ? `${digest.algorithm}:${digest.hex}` : null
}

/** What the images that boot are, by their paths. */
function rolesIn({ platforms, stage2, instimage }: Tree): ReadonlyMap<string, string> {
  const roles = new Map<string, string>()
  const add = (path: string | undefined, role: string): void => {
    if (path !== undefined && !roles.has(path)) roles.set(path, role)
  }
  for (const { kernel, initrd, others } of Object.values(platforms)) {
    add(kernel, 'kernel')
    add(initrd, 'initrd')
    for (const [role, path] of Object.entries(others)) add(path, role)
  }
  add(stage2, 'stage2')
  add(instimage, 'instimage')
  return roles
}
