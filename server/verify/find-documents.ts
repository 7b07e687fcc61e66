import { documentLimits } from '../core/limits/documents.ts'
import { internalRequester } from '../core/net/requester.ts'
import { below, type CleanPath, joinPath, linkTarget } from '../files/path.ts'
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
  /**
   * Symlinks to folders of this tree, and where they lead. What is behind them is searched there, and once: Debian
   * media have `debian -> .`, and Ubuntu's `ubuntu -> .`.
   */
  readonly links: ReadonlyMap<CleanPath, CleanPath>
  /** Why folders were left out of the search; undefined when none was. */
  readonly stopped?: string
}

/** The same while it is filled. */
interface FoundDocuments extends Documents {
  readonly checksumLists: CleanPath[]
  readonly repositories: CleanPath[]
  readonly releases: CleanPath[]
  readonly links: Map<CleanPath, CleanPath>
}

/** A folder to be searched. */
interface Folder {
  readonly path: CleanPath
  /** Whether no symlink is on its path: a link in it leads where its target says from here. */
  readonly isReal: boolean
}

/** Looks for documents that name checksums, level by level, but not in folders of packages. */
export async function findDocuments(source: FileSource, at: CleanPath): Promise<Documents> {
  const { documentSearch, documentSearchNames } = documentLimits
  const found: FoundDocuments = { checksumLists: [], repositories: [], releases: [], links: new Map() }
  let level: Folder[] = [{ path: at, isReal: true }]
  let foldersLeft: number = documentSearch.entries
  let namesLeft: number = documentSearchNames.entries
  for (let depth = 0; depth <= documentSearch.depth && level.length > 0; depth++) {
    const next: Folder[] = []
    for (const folder of level) {
      if (foldersLeft-- <= 0)
        return { ...found, stopped: `it has more than ${documentSearch.entries} folders` }
      const entries = (await source.list(folder.path, internalRequester)) ?? []
      namesLeft -= entries.length
      if (namesLeft < 0)
        return { ...found, stopped: `its folders show more than ${documentSearchNames.entries} names` }
      takeDocuments(folder.path, entries, found)
      if (folder.isReal) takeLinks(at, folder.path, entries, found)
      next.push(...foldersToSearch(folder, entries, found))
    }
    level = next
  }
  return found
}

function foldersToSearch(
  { path, isReal }: Folder,
  entries: readonly Entry[],
  { links }: Documents,
): Folder[] {
  return entries
    .filter(({ kind, name }) => kind === 'folder' && !bulkFolders.has(name) && name !== versionsFolder)
    .map((entry) => ({ path: joinPath(path, entry.name), isReal: isReal && entry.target === undefined }))
    .filter((folder) => !links.has(folder.path))
}

/** Notes the symlinks of a folder that lead to folders which are searched anyway. */
function takeLinks(
  at: CleanPath,
  folder: CleanPath,
  entries: readonly Entry[],
  { links }: FoundDocuments,
): void {
  for (const { kind, name, target } of entries) {
    const to = kind === 'folder' && target !== undefined ? linkTarget(folder, target) : undefined
    const inTree = to && below(at, to)
    if (to === undefined || inTree === undefined) continue
    if (!inTree.split('/').some((part) => bulkFolders.has(part))) links.set(joinPath(folder, name), to)
  }
}

/**
 * The path of the same file without symlinks to folders, as far as the search has found them.
 *
 * @param links Of `findDocuments`.
 */
export function withoutLinks(path: CleanPath, links: Documents['links']): CleanPath {
  let real = path
  for (let hops = 0; links.size > 0 && hops < mostHops; hops++) {
    const link = firstLink(real, links)
    const to = link && links.get(link)
    if (link === undefined || to === undefined) return real
    real = joinPath(to, real.slice(link.length))
  }
  return real
}

/** As many as Linux follows on one path (path_resolution(7)). */
const mostHops = 40

function firstLink(path: CleanPath, links: Documents['links']): CleanPath | undefined {
  for (let end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1)) {
    const folder = path.slice(0, end) as CleanPath
    if (links.has(folder)) return folder
  }
  return links.has(path) ? path : undefined
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
