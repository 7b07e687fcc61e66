import { lstat, rename, rm, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../host/atomic-write.ts'
import { folderOfId, folderOfVersion } from './layout.ts'
import { clearPlace, contentOf, isShown } from './public-link.ts'
import { readRecord, recordFile, type VersionRecord } from './record.ts'

export interface Begun extends Pick<VersionRecord, 'id' | 'kind'> {
  /** Where the content was before the publication. */
  readonly path: string
  /** The numbers that the publication reserved; the last one is the new version's. */
  readonly reserved: readonly number[]
}

/**
 * Takes a failed publication back: moves the content to where it came from, so that the caller may try again,
 * and gives up the numbers. It does as much as it can and never throws, because the caller must hear of the
 * first failure. What it leaves is finished by `recover`, or is removed by `trees gc`.
 *
 * A version that is public stays: only making that durable can have failed.
 */
export async function takeBack(trees: string, { id, kind, path, reserved }: Begun): Promise<void> {
  const version = reserved.at(-1)
  if (version === undefined) return
  const record = await readRecord(trees, id, version)
  if (record && (await isShown(trees, record))) return
  try {
    if (record && !(await exists(path))) {
      await rename(contentOf(trees, id, version, kind), path)
      await syncFolder(dirname(path))
    }
  } catch {
    return
  }
  for (const number of reserved) await giveUp(trees, id, number).catch(() => undefined)
  await rmdir(folderOfId(trees, id)).catch(() => undefined)
}

/** Removes what reserves a number. It fails for a version that has content. */
export async function giveUp(trees: string, id: string, version: number): Promise<void> {
  await clearPlace(folderOfVersion(trees, id, version))
  await rm(recordFile(trees, id, version), { force: true })
}

function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}
