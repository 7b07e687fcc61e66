import { join } from 'node:path'
import { Failure } from '../core/failure.ts'
import { isSkippedFolder, treeIdTrouble } from '../core/tree/names.ts'
import { isInside } from '../host/paths.ts'

/**
 * The folder in `trees/` that treeboot keeps for itself. It is in the same file system as the trees, so that
 * publishing is one rename. It is hidden, so services do not show it, and it is not searched for trees.
 *
 *     trees/<id>                          -> .treeboot/versions/<id>/<n>              a published tree
 *     trees/<id>.iso                      -> .treeboot/versions/<id>/<n>/<name>.iso   the same, as an ISO
 *     trees/.treeboot/versions/<id>/<n>       one version, never written to again
 *     trees/.treeboot/versions/<id>/<n>.json  its record, see record.ts
 *     trees/.treeboot/versions/<id>/history   which version became current when, one JSON line each
 *     trees/.treeboot/incoming/<job>/         what is being fetched, unpacked or uploaded
 *     trees/.treeboot/switching.lock          held while versions are published, switched or removed
 *     trees/.treeboot/switch-<id>-<pid>       the new link, for the moment before it is renamed
 *     trees/.treeboot/removed-<id>-...        a version that is being deleted
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

/** The version that a real path belongs to; undefined for a folder that the operator put into `trees/`. */
export function versionAt(trees: string, real: string): { id: string; version: number } | undefined {
  const versions = versionsFolder(trees)
  if (!isInside(versions, real)) return undefined
  const [encoded = '', number = ''] = real.slice(versions.length + 1).split('/')
  if (!/^[1-9]\d{0,8}$/.test(number)) return undefined
  const id = decodeId(encoded)
  return id === undefined ? undefined : { id, version: Number(number) }
}

/** The id that the name of a folder encodes; undefined when it cannot be decoded. */
export function decodeId(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return undefined
  }
}

/**
 * The most bytes of an encoded id. Folders are named by it, also as `removed-<id>-<version>-<pid>`, and a name
 * may have 255 bytes (NAME_MAX).
 */
const maxEncodedBytes = 200
/** As deep as `catalog/scan/discover.ts` searches. */
const maxDepth = 8

/**
 * Checks that a tree can be published under an id: a path below `trees/` that is searched for trees, and that
 * every loader can ask for.
 *
 * @throws Failure `bad-request` that says what is wrong with the id.
 */
export function checkTreeId(id: string): void {
  const fault = faultOfId(id)
  if (fault === undefined) return
  const shown = JSON.stringify(id)
  throw new Failure(
    'bad-request',
    `${shown} cannot be the id of a tree: ${fault}; try one like fedora-40-x86_64`,
  )
}

function faultOfId(id: string): string | undefined {
  const parts = id.split('/')
  // Half of a surrogate pair has no UTF-8.
  if (/\p{Cs}/u.test(id)) return 'it is not valid Unicode'
  if (encodeURIComponent(id).length > maxEncodedBytes) return 'it is too long for the name of a folder'
  // Programs take a name that begins with "-" for an option.
  if (parts.some((part) => part === '' || part.startsWith('-')))
    return 'a part of it is empty or begins with "-"'
  if (parts.some(isSkippedFolder)) return 'folders of such a name are not searched for trees'
  if (parts.length > maxDepth) return `it lies more than ${maxDepth} folders deep`
  // PXELINUX takes what stands before `::` for the name of a server.
  if (id.includes(':')) return 'it holds ":"'
  return treeIdTrouble(id)
}
