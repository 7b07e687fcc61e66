import { lstat, mkdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { Failure } from '../core/failure.ts'
import { syncFolder } from '../host/atomic-write.ts'
import { folderOfVersion, ownFolder, versionAt } from './layout.ts'
import type { VersionRecord } from './record.ts'

type Kind = VersionRecord['kind']

/** What exists at the public name of a tree. `none`: nothing. */
export type Occupant =
  | { readonly kind: 'none' }
  | { readonly kind: 'version'; readonly id: string; readonly version: number }
  /** A folder, file or link that treeboot did not make. */
  | { readonly kind: 'foreign'; readonly folder: boolean }

/**
 * The public name of a published tree: a link to its current version. An ISO keeps its ending, so that people
 * can fetch it.
 */
export function linkOf(trees: string, id: string, kind: Kind): string {
  return join(trees, kind === 'iso' ? `${id}.iso` : id)
}

/** The content of a version: its folder, or the ISO in that folder. */
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
 * Points the public name at a version. The new symlink is made under another name and renamed over the old
 * one, which is atomic: clients see the old version or the new one at any moment.
 */
export async function switchTo(trees: string, id: string, version: number, kind: Kind): Promise<void> {
  const link = linkOf(trees, id, kind)
  await makeParents(trees, id)
  const temp = join(trees, ownFolder, `switch-${encodeURIComponent(id)}-${process.pid}`)
  await rm(temp, { force: true })
  await symlink(relative(dirname(link), contentOf(trees, id, version, kind)), temp)
  try {
    await rename(temp, link)
  } catch (error) {
    await rm(temp, { force: true })
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EXDEV')
      throw new Failure(
        'conflict',
        `${dirname(link)} is on another file system than ${trees}, so treeboot cannot switch versions there; choose another id`,
      )
    if (code === 'EISDIR' || code === 'ENOTEMPTY' || code === 'EEXIST') throw occupied(id, 'a folder')
    throw error
  }
  await syncFolder(dirname(link))
  await removeLinkOfOtherKind(trees, id, kind)
}

/** Removes the second name of a tree that was an ISO and is a folder now, or the other way round. */
async function removeLinkOfOtherKind(trees: string, id: string, kind: Kind): Promise<void> {
  const otherLink = linkOf(trees, id, kind === 'iso' ? 'folder' : 'iso')
  const occupant = await occupantOf(trees, otherLink)
  if (occupant.kind === 'version' && occupant.id === id) await rm(otherLink, { force: true })
}

/**
 * Makes the folders above `a/b/c`. A link among them is refused: the tree would be published into another
 * tree.
 */
async function makeParents(trees: string, id: string): Promise<void> {
  let folder = trees
  for (const part of id.split('/').slice(0, -1)) {
    folder = join(folder, part)
    const stats = await lstat(folder).catch(() => undefined)
    if (!stats) await mkdir(folder).catch(ignoreExisting)
    else if (!stats.isDirectory())
      throw new Failure(
        'conflict',
        `${relative(trees, folder)} is not a plain folder, so ${id} cannot be below it; choose another id`,
      )
  }
}

function ignoreExisting(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
}

/** The failure for an id whose place is taken by something that treeboot did not publish. */
export function occupied(id: string, what: 'a folder' | 'a file or link'): Failure {
  const remedy =
    what === 'a folder' ? 'use "replace", which keeps the folder as an earlier version' : 'move it elsewhere'
  return new Failure(
    'conflict',
    `${what} that treeboot did not publish is at trees/${id}; choose another id, or ${remedy}`,
  )
}
