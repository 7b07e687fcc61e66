import { renameSync } from 'node:fs'
import { lstat, mkdir, readlink, rename, rm, rmdir, symlink } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { Failure } from '../core/failure.ts'
import { syncFolder } from '../host/atomic-write.ts'
import { exchangeNames } from '../host/exchange.ts'
import { folderOfId, folderOfVersion, ownFolder, versionAt } from './layout.ts'
import type { VersionRecord } from './record.ts'

type Kind = VersionRecord['kind']

/** What exists at the public name of a tree. `none`: nothing. */
export type Occupant =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'version'
      readonly id: string
      readonly version: number
      /** When the link was made. */
      readonly sinceMs: number
    }
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
  return at ? { kind: 'version', ...at, sinceMs: stats.mtimeMs } : { kind: 'foreign', folder: false }
}

/** Whether the public name leads to this version. */
export async function isShown(trees: string, { id, version, kind }: VersionRecord): Promise<boolean> {
  const occupant = await occupantOf(trees, linkOf(trees, id, kind))
  return occupant.kind === 'version' && occupant.id === id && occupant.version === version
}

/**
 * Points the public name at a version, in one step: clients see the old tree or the new one at any moment, and
 * so does the next process after a crash. A folder placed by hand is replaced if the record says so, and
 * becomes the version `replaces`. Callers hold the lock (`exclusively`).
 *
 * @returns Whether a folder placed by hand became a version.
 */
export async function switchTo(trees: string, record: VersionRecord): Promise<boolean> {
  const { id, kind, replaces } = record
  const link = linkOf(trees, id, kind)
  const folder = linkOf(trees, id, 'folder')
  await makeParents(trees, id)
  const occupant = await occupantOf(trees, folder)
  const adopted = occupant.kind === 'foreign' && occupant.folder ? replaces : undefined
  if (adopted !== undefined && kind === 'folder') await takePlaceOfFolder(trees, record, adopted)
  else await takePlaceOfLink(trees, record)
  await syncFolder(dirname(link))
  if (adopted !== undefined && kind === 'iso') {
    await clearPlace(folderOfVersion(trees, id, adopted))
    await rename(folder, folderOfVersion(trees, id, adopted))
  }
  const wasOther = await removeLinkOfOtherKind(trees, id, kind)
  // Not before: otherwise a crash of the machine could leave neither name.
  if (wasOther || adopted !== undefined) await syncFolder(dirname(link))
  if (adopted !== undefined) await syncFolder(folderOfId(trees, id))
  return adopted !== undefined
}

/** The text of the link that leads to a version. */
function linkText(trees: string, { id, version, kind }: VersionRecord): string {
  return relative(dirname(linkOf(trees, id, kind)), contentOf(trees, id, version, kind))
}

/** Makes the link under a temporary name, and calls `place` to give it its public one. */
async function withTempLink(
  trees: string,
  record: VersionRecord,
  place: (temp: string) => void | Promise<void>,
): Promise<void> {
  const temp = join(trees, ownFolder, `switch-${encodeURIComponent(record.id)}-${process.pid}`)
  await rm(temp, { force: true })
  try {
    await symlink(linkText(trees, record), temp)
    await place(temp)
  } catch (error) {
    await rm(temp, { force: true })
    throw namedFailure(record, error)
  }
}

/** A link takes the place of another one, or of nothing, by one rename. */
function takePlaceOfLink(trees: string, record: VersionRecord): Promise<void> {
  return withTempLink(trees, record, (temp) => rename(temp, linkOf(trees, record.id, record.kind)))
}

/**
 * A link takes the place of a folder, which rename(2) refuses. So the link is made where the folder shall go,
 * and the two exchange their names.
 */
async function takePlaceOfFolder(trees: string, record: VersionRecord, adopted: number): Promise<void> {
  const link = linkOf(trees, record.id, 'folder')
  const place = folderOfVersion(trees, record.id, adopted)
  await clearPlace(place)
  await symlink(linkText(trees, record), place)
  try {
    if (exchangeNames(place, link)) return
  } catch (error) {
    await rm(place, { force: true })
    throw namedFailure(record, error)
  }
  await rm(place, { force: true })
  await moveThenLink(trees, record, place)
}

/**
 * The same without an exchange of names: two renames, with nothing at the public name in between. No other code
 * of this process runs between them, which leaves microseconds. `recover` completes what a crash interrupts.
 */
function moveThenLink(trees: string, record: VersionRecord, place: string): Promise<void> {
  const link = linkOf(trees, record.id, 'folder')
  return withTempLink(trees, record, (temp) => {
    renameSync(link, place)
    try {
      renameSync(temp, link)
    } catch (error) {
      renameSync(place, link)
      throw error
    }
  })
}

/** Removes the empty folder that reserved a number, or the link that an interrupted switch left there. */
export async function clearPlace(place: string): Promise<void> {
  const stats = await lstat(place).catch(() => undefined)
  if (stats?.isSymbolicLink()) await rm(place)
  else if (stats) await rmdir(place)
}

function namedFailure({ id }: VersionRecord, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EXDEV' || code === 'EBUSY')
    return new Failure(
      'conflict',
      `trees/${id} is on another file system than trees/, so treeboot cannot switch versions there; choose another id`,
    )
  if (code === 'EISDIR' || code === 'ENOTEMPTY' || code === 'EEXIST') return occupied(id, 'a folder')
  return error
}

/**
 * Removes the second name of a tree that was an ISO and is a folder now, or the other way round. Returns
 * whether there was one.
 */
async function removeLinkOfOtherKind(trees: string, id: string, kind: Kind): Promise<boolean> {
  const otherLink = linkOf(trees, id, kind === 'iso' ? 'folder' : 'iso')
  const occupant = await occupantOf(trees, otherLink)
  if (occupant.kind !== 'version' || occupant.id !== id) return false
  await rm(otherLink, { force: true })
  return true
}

/** Removes the public names that lead to versions of a tree. Callers hold the lock (`exclusively`). */
export async function removeNames(trees: string, id: string): Promise<void> {
  for (const kind of ['folder', 'iso'] as const) await removeLinkOfOtherKind(trees, id, kind)
  await syncFolder(dirname(linkOf(trees, id, 'folder')))
}

/**
 * Makes the folders above `a/b/c`. A link among them is refused: the tree would be published into another
 * tree.
 */
async function makeParents(trees: string, id: string): Promise<void> {
  let folder = trees
  for (const part of id.split('/').slice(0, -1)) {
    const above = folder
    folder = join(folder, part)
    const stats = await lstat(folder).catch(() => undefined)
    if (!stats) await mkdir(folder).catch(ignoreExisting)
    else if (!stats.isDirectory())
      throw new Failure(
        'conflict',
        `${relative(trees, folder)} is not a plain folder, so ${id} cannot be below it; choose another id`,
      )
    await syncFolder(above)
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
