import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../core/failure.ts'
import { folderOfVersion, ownFolder } from './layout.ts'
import { removeNames } from './public-link.ts'
import { recordFile } from './record.ts'
import type { VersionView } from './recover.ts'

/**
 * Hiding a version is one rename; deleting it takes long. These return where it is until somebody deletes it: `leftovers`
 * finds what a killed process has left there. Callers hold the lock.
 */

/** @throws Failure `conflict` for the current version, and for the last one unless `evenLast`. */
export function hideEarlier(
  trees: string,
  versions: readonly VersionView[],
  { id, version, evenLast }: { readonly id: string; readonly version: number; readonly evenLast: boolean },
): Promise<string> {
  if (versions.some((each) => each.current && each.version === version))
    throw new Failure('conflict', `version ${version} of ${id} is the current one`)
  if (!evenLast && versions.every((each) => each.version === version))
    throw new Failure('conflict', `version ${version} of ${id} is the last one`)
  return hideVersion(trees, id, version)
}

/**
 * Hides all versions of a tree: its name first, the version that was current last.
 *
 * @param seen The numbers that whoever wants this has seen.
 * @throws Failure `conflict` when there are others.
 */
export async function hideAll(
  trees: string,
  id: string,
  versions: readonly VersionView[],
  seen: readonly number[],
): Promise<readonly string[]> {
  const numbers = versions.map(({ version }) => version)
  if (numbers.join() !== seen.join())
    throw new Failure(
      'conflict',
      `${id} was changed meanwhile: it has the versions ${numbers.join(', ') || '(none)'}`,
    )
  if (versions.some(({ current }) => current)) await removeNames(trees, id)
  const trash: string[] = []
  for (const { version } of [...versions].sort((a, b) => Number(a.current) - Number(b.current)))
    trash.push(await hideVersion(trees, id, version))
  return trash
}

async function hideVersion(trees: string, id: string, version: number): Promise<string> {
  const name = `removed-${encodeURIComponent(id)}-${version}-${process.pid}`
  const trash = join(trees, ownFolder, name)
  await rename(folderOfVersion(trees, id, version), trash)
  await rm(recordFile(trees, id, version), { force: true })
  return trash
}
