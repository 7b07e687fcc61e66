import type { Requester } from '../core/net/requester.ts'
import { type CleanPath, joinPath } from '../files/path.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { isChecksumList } from './documents/checksum-list.ts'

export const self: Requester = { protocol: 'internal', address: '127.0.0.1' }

/** Folders by these names hold packages by the thousand and no document about others. */
const bulk = new Set(['Packages', 'pool', 'RPMS', 'SRPMS', 'drpms', 'repoview', 'by-hash'])
const deepest = 8
const mostFolders = 4096

/** Documents found in a tree that no other document need have named. */
export interface Documents {
  readonly checksumLists: readonly CleanPath[]
  /** Folders that hold a `repodata/repomd.xml`. */
  readonly repositories: readonly CleanPath[]
  /** `dists/<suite>/Release`; `InRelease` where only that is kept. */
  readonly releases: readonly CleanPath[]
}

/** Looks for documents that name checksums, folder by folder, but not where packages lie. */
export async function findDocuments(source: FileSource, at: CleanPath): Promise<Documents> {
  const found = {
    checksumLists: [] as CleanPath[],
    repositories: [] as CleanPath[],
    releases: [] as CleanPath[],
  }
  let level: CleanPath[] = [at]
  let left = mostFolders
  for (let depth = 0; depth <= deepest && level.length > 0; depth++) {
    const below: CleanPath[] = []
    for (const folder of level) {
      if (left-- <= 0) return found
      const entries = (await source.list(folder, self)) ?? []
      const names = new Set(entries.map((entry) => entry.name))
      for (const entry of entries) {
        const path = joinPath(folder, entry.name)
        if (entry.kind === 'file') takeFile(entry.name, path, folder, names, found)
        else if (entry.kind === 'folder' && !bulk.has(entry.name) && entry.name !== '.treeboot')
          below.push(path)
      }
    }
    level = below
  }
  return found
}

function takeFile(
  name: string,
  path: CleanPath,
  folder: CleanPath,
  names: ReadonlySet<string>,
  found: { checksumLists: CleanPath[]; repositories: CleanPath[]; releases: CleanPath[] },
): void {
  if (isListAmong(name, names)) found.checksumLists.push(path)
  else if (name === 'repomd.xml' && folder.endsWith('/repodata'))
    found.repositories.push((folder.slice(0, -'/repodata'.length) || '/') as CleanPath)
  else if (
    /\/dists\/[^/]+$/.test(folder) &&
    (name === 'Release' || (name === 'InRelease' && !names.has('Release')))
  )
    found.releases.push(path)
}

/**
 * Whether a file among others in its folder is to be read as a list of checksums. CentOS has `CHECKSUM` and a
 * clearsigned `CHECKSUM.asc`: who keeps one of them keeps the latter, else it is the signature of the former.
 */
export function isListAmong(name: string, names: ReadonlySet<string>): boolean {
  const plain = name.replace(/\.asc$/, '')
  return isChecksumList(plain) && (plain === name || !names.has(plain))
}

/** A file's bytes in large pieces. Each piece is valid until the next is asked for. */
export async function* readPieces(entry: Entry, atMostBytes = 1 << 20): AsyncGenerator<Uint8Array> {
  if (entry.content) {
    yield entry.content
    return
  }
  const file = await entry.open()
  try {
    // Two buffers: the next piece is read while this one is hashed or written. No larger than the file needs.
    const pieceBytes = Math.max(1, Math.min(file.size, atMostBytes))
    const buffers = [Buffer.allocUnsafe(pieceBytes), Buffer.allocUnsafe(pieceBytes)] as const
    let position = 0
    let ahead = file.read(buffers[0], 0, pieceBytes, 0)
    for (let turn = 0; ; turn ^= 1) {
      const length = await ahead
      if (length === 0) return
      position += length
      const piece = (turn === 0 ? buffers[0] : buffers[1]).subarray(0, length)
      ahead = file.read(turn === 0 ? buffers[1] : buffers[0], 0, pieceBytes, position)
      ahead.catch(() => undefined)
      yield piece
    }
  } finally {
    await file.close()
  }
}

/** A path as seen from the tree: `images/x`, `../../AppStream/os/repodata/repomd.xml`. */
export function relativeTo(at: CleanPath, path: CleanPath): string {
  const from = at === '/' ? [] : at.slice(1).split('/')
  const to = path === '/' ? [] : path.slice(1).split('/')
  let same = 0
  while (same < from.length && from[same] === to[same]) same++
  return [...from.slice(same).map(() => '..'), ...to.slice(same)].join('/') || '.'
}
