import { documentLimits } from '../core/limits/documents.ts'
import { internalRequester } from '../core/net/requester.ts'
import { type CleanPath, joinPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { isChecksumList } from './documents/checksum-list.ts'

/** Names of folders that are not searched: they hold thousands of packages, and no documents. */
const bulkFolders = new Set(['Packages', 'pool', 'RPMS', 'SRPMS', 'drpms', 'repoview', 'by-hash'])
/** Where `trees/` keeps published versions, which are trees of their own. */
const versionsFolder = '.treeboot'

/** Documents of a tree that name checksums of other files. They are found by their own names. */
export interface Documents {
  readonly checksumLists: readonly CleanPath[]
  /** Folders that hold a `repodata/repomd.xml`. */
  readonly repositories: readonly CleanPath[]
  /** `dists/<suite>/Release`; `InRelease` when a mirror keeps only that. */
  readonly releases: readonly CleanPath[]
  /** Why folders were left out of the search; undefined when none was. */
  readonly stopped?: string
}

/** The same while it is filled. */
interface FoundDocuments extends Documents {
  readonly checksumLists: CleanPath[]
  readonly repositories: CleanPath[]
  readonly releases: CleanPath[]
}

/** Looks for documents that name checksums, level by level, but not in folders of packages. */
export async function findDocuments(source: FileSource, at: CleanPath): Promise<Documents> {
  const { documentSearch, documentSearchNames } = documentLimits
  const found: FoundDocuments = { checksumLists: [], repositories: [], releases: [] }
  let level: CleanPath[] = [at]
  let foldersLeft: number = documentSearch.entries
  let namesLeft: number = documentSearchNames.entries
  for (let depth = 0; depth <= documentSearch.depth && level.length > 0; depth++) {
    const below: CleanPath[] = []
    for (const folder of level) {
      if (foldersLeft-- <= 0)
        return { ...found, stopped: `it has more than ${documentSearch.entries} folders` }
      const entries = (await source.list(folder, internalRequester)) ?? []
      namesLeft -= entries.length
      if (namesLeft < 0)
        return { ...found, stopped: `its folders show more than ${documentSearchNames.entries} names` }
      takeDocuments(folder, entries, found)
      below.push(...foldersToSearch(folder, entries))
    }
    level = below
  }
  return found
}

function foldersToSearch(folder: CleanPath, entries: readonly Entry[]): CleanPath[] {
  return entries
    .filter(({ kind, name }) => kind === 'folder' && !bulkFolders.has(name) && name !== versionsFolder)
    .map(({ name }) => joinPath(folder, name))
}

function takeDocuments(folder: CleanPath, entries: readonly Entry[], found: FoundDocuments): void {
  const siblings = new Set(entries.map((entry) => entry.name))
  for (const { kind, name } of entries) {
    if (kind !== 'file') continue
    const path = joinPath(folder, name)
    if (isReadAsChecksumList(name, siblings)) found.checksumLists.push(path)
    else if (name === 'repomd.xml' && folder.endsWith('/repodata'))
      found.repositories.push((folder.slice(0, -'/repodata'.length) || '/') as CleanPath)
    else if (/\/dists\/[^/]+$/.test(folder) && isReadAsRelease(name, siblings)) found.releases.push(path)
  }
}

function isReadAsRelease(name: string, siblings: ReadonlySet<string>): boolean {
  return name === 'Release' || (name === 'InRelease' && !siblings.has('Release'))
}

/**
 * Whether a file is read as a list of checksums, by its name and the names beside it. CentOS has `CHECKSUM`
 * and a clearsigned `CHECKSUM.asc`. A mirror that keeps only one of them keeps `CHECKSUM.asc`, which is then
 * read as a list. Beside `CHECKSUM` it is only a signature.
 */
export function isReadAsChecksumList(name: string, siblings: ReadonlySet<string>): boolean {
  const plain = name.replace(/\.asc$/, '')
  return isChecksumList(plain) && (plain === name || !siblings.has(plain))
}
