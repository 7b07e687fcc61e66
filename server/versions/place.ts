import { lstat, mkdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { Failure } from '../core/failure.ts'
import { syncFolder } from '../host/atomic-write.ts'
import { folderOfVersion, ownFolder, versionAt } from './layout.ts'
import type { VersionRecord } from './record.ts'

type Kind = VersionRecord['kind']

/** What lies where a tree is, or is to be, published. */
export type Occupant =
  | { readonly kind: 'none' }
  | { readonly kind: 'version'; readonly id: string; readonly version: number }
  /** A folder, file or link that is not ours. */
  | { readonly kind: 'foreign'; readonly folder: boolean }

/** The name by which everyone reaches a published tree. An ISO keeps its ending, so that people can fetch it. */
export function linkOf(trees: string, id: string, kind: Kind): string {
  return join(trees, kind === 'iso' ? `${id}.iso` : id)
}

export function contentOf(trees: string, id: string, version: number, kind: Kind): string {
  const folder = folderOfVersion(trees, id, version)
  return kind === 'iso' ? join(folder, `${basename(id)}.iso`) : folder
}

export async function occupantOf(trees: string, link: string): Promise<Occupant> {
  const stats = await lstat(link).catch(() => undefined)
  if (!stats) return { kind: 'none' }
  if (!stats.isSymbolicLink()) return { kind: 'foreign', folder: stats.isDirectory() }
  const at = versionAt(trees, resolve(dirname(link), await readlink(link)))
  return at ? { kind: 'version', ...at } : { kind: 'foreign', folder: false }
}

/**
 * Points the public name at a version. A symlink is made aside and renamed over the old one, which is atomic: whoever
 * looks sees the old version or the new one, and never none.
 */
export async function switchTo(trees: string, id: string, version: number, kind: Kind): Promise<void> {
  const link = linkOf(trees, id, kind)
  await makeParents(trees, id)
  const aside = join(trees, ownFolder, `switch-${encodeURIComponent(id)}-${process.pid}`)
  await rm(aside, { force: true })
  await symlink(relative(dirname(link), contentOf(trees, id, version, kind)), aside)
  try {
    await rename(aside, link)
  } catch (error) {
    await rm(aside, { force: true })
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EXDEV')
      throw new Failure(
        'conflict',
        `${dirname(link)} is on another file system than ${trees}, so nothing can be switched in there at once; choose another id`,
      )
    if (code === 'EISDIR' || code === 'ENOTEMPTY' || code === 'EEXIST') throw occupied(id, 'a folder')
    throw error
  }
  await syncFolder(dirname(link))
  await removeOther(trees, id, kind)
}

/** A tree that was an ISO and is a folder now, or the other way round, leaves no second name behind. */
async function removeOther(trees: string, id: string, kind: Kind): Promise<void> {
  const other = linkOf(trees, id, kind === 'iso' ? 'folder' : 'iso')
  const occupant = await occupantOf(trees, other)
  if (occupant.kind === 'version' && occupant.id === id) await rm(other, { force: true })
}

/** Folders on the way to `a/b/c`. None of them may be a link: what is published below would land in another tree. */
async function makeParents(trees: string, id: string): Promise<void> {
  let folder = trees
  for (const part of id.split('/').slice(0, -1)) {
    folder = join(folder, part)
    const stats = await lstat(folder).catch(() => undefined)
    if (!stats) await mkdir(folder).catch(ignoreExisting)
    else if (!stats.isDirectory())
      throw new Failure(
        'conflict',
        `${relative(trees, folder)} is no plain folder, so ${id} cannot be below it; choose another id`,
      )
  }
}

function ignoreExisting(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
}

export function occupied(id: string, what: string): Failure {
  return new Failure(
    'conflict',
    `${what} that was not published by treeboot lies at trees/${id}; choose another id, or replace it: it is then kept as an earlier version`,
  )
}
