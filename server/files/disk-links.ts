import { readlink, realpath } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { isInside } from '../host/paths.ts'
import { cleanPath, linkTarget } from './path.ts'

const realpathOf = promisify(realpath.native)
const readlinkOf = promisify(readlink)

/**
 * The target of the symlink at a path, if it may be shown (`Entry.target`). Steps are counted from the real folder
 * of the link, as the kernel does.
 */
export async function shownTarget(root: string, given: string): Promise<string | undefined> {
  const target = await readLink(given)
  if (target === undefined) return undefined
  const [top, folder] = await Promise.all([realOf(root), realOf(dirname(given))])
  if (top === undefined || folder === undefined || !isInside(top, folder)) return undefined
  const inside = top === '/' ? folder : folder.slice(top.length)
  return linkTarget(cleanPath(inside), target) && target
}

/** The target of a symlink as written; undefined when something else is there, or nothing. */
export async function readLink(file: string): Promise<string | undefined> {
  try {
    return await readlinkOf(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EINVAL' || isAbsent(error)) return undefined
    throw error
  }
}

export async function realOf(file: string): Promise<string | undefined> {
  try {
    return await realpathOf(file)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw error
  }
}

/**
 * Errors that count as "not found". ELOOP: a symlink points at itself. EACCES: we may not enter the folder.
 */
const absent = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'EACCES'])

export function isAbsent(error: unknown): boolean {
  return absent.has((error as NodeJS.ErrnoException).code ?? '')
}
