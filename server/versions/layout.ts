import { join } from 'node:path'
import { Failure } from '../core/failure.ts'
import { isSkippedFolder, treeIdTrouble } from '../core/tree/names.ts'
import { isInside } from '../host/paths.ts'

/**
 * What treeboot itself keeps below `trees/`: in the same file system as the trees, so that publishing is one rename,
 * and hidden, so that no service shows it and no tree is looked for in it.
 *
 *     trees/<id>                          -> .treeboot/versions/<id>/<n>              a published tree
 *     trees/<id>.iso                      -> .treeboot/versions/<id>/<n>/<name>.iso   the same, as an ISO
 *     trees/.treeboot/versions/<id>/<n>       one version, never written to again
 *     trees/.treeboot/versions/<id>/<n>.json  where it came from, see version-record.ts
 *     trees/.treeboot/versions/<id>/history   what was switched in and when, one JSON line each
 *     trees/.treeboot/incoming/<job>/         what is being fetched, unpacked or uploaded
 *
 * In these folder names an id is percent-encoded: `fedora/40` becomes `fedora%2F40`.
 */
export const ownFolder = '.treeboot'

export function versionsFolder(trees: string): string {
  return join(trees, ownFolder, 'versions')
}

export function incomingFolder(trees: string): string {
  return join(trees, ownFolder, 'incoming')
}

export function folderOfId(trees: string, id: string): string {
  return join(versionsFolder(trees), encodeURIComponent(id))
}

export function folderOfVersion(trees: string, id: string, version: number): string {
  return join(folderOfId(trees, id), String(version))
}

/** Whose version a real path belongs to; undefined for a folder that the operator put into `trees/`. */
export function versionAt(trees: string, real: string): { id: string; version: number } | undefined {
  const versions = versionsFolder(trees)
  if (!isInside(versions, real)) return undefined
  const [encoded = '', number = ''] = real.slice(versions.length + 1).split('/')
  if (!/^[1-9]\d{0,8}$/.test(number)) return undefined
  const id = decodeId(encoded)
  return id === undefined ? undefined : { id, version: Number(number) }
}

export function decodeId(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return undefined
  }
}

const deepest = 8

/**
 * An id that a tree may be published under: a path below `trees/` that discovery will look into and every loader can
 * ask for.
 *
 * @throws Failure `bad-request`, saying what is wrong with it.
 */
export function checkTreeId(id: string): void {
  const parts = id.split('/')
  const trouble =
    id.length > 200
      ? 'it is longer than 200 characters'
      : parts.some((part) => part === '' || part.startsWith('-'))
        ? 'a part of it is empty or begins with "-"'
        : parts.some(isSkippedFolder)
          ? 'folders by such a name are not searched for trees'
          : parts.length > deepest
            ? `it lies more than ${deepest} folders deep`
            : (treeIdTrouble(id) ?? (/[\\:]/.test(id) ? 'it holds ":" or "\\"' : undefined))
  if (trouble !== undefined)
    throw new Failure(
      'bad-request',
      `${JSON.stringify(id)} cannot be the id of a tree: ${trouble}; try one like fedora-40-x86_64`,
    )
}
