import { Failure } from '../../core/failure.ts'
import { type CleanPath, cleanPath, rootPath } from '../../files/path.ts'

/**
 * What a tree may have at most. Linux has paths of 4095 bytes, and those of the folders above the tree are
 * needed, too; no disc has more than 20 folders above one another.
 */
export const treeLimits = { pathBytes: 2048, nameBytes: 255, depth: 128 } as const

/** The name of an entry for messages: it may have any length and any characters. */
export function shown(name: string): string {
  const most = 200
  return JSON.stringify(name.length > most ? `${name.slice(0, most)}...` : name)
}

/**
 * The path of an entry in its tree.
 *
 * @throws Failure `invalid-data` for a path that leads out of the tree, or that no file can have.
 */
export function treePath(path: string): CleanPath {
  const refuse = (reason: string) => new Failure('invalid-data', `${shown(path)} ${reason}`)
  const names = path.split('/')
  if (path.startsWith('/') || names.includes('..')) throw refuse('leads out of the tree')
  const { pathBytes, nameBytes, depth } = treeLimits
  if (Buffer.byteLength(path) > pathBytes) throw refuse(`has more than ${pathBytes} bytes`)
  if (names.length > depth) throw refuse(`lies more than ${depth} folders deep`)
  if (names.some((name) => Buffer.byteLength(name) > nameBytes))
    throw refuse(`has a name of more than ${nameBytes} bytes`)
  const clean = cleanPath(path)
  if (clean === rootPath) throw refuse('is not the name of an entry')
  return clean
}

/** The failure for a source with two entries of one name, of which one is a folder. */
export function twice(path: string): Failure {
  return new Failure(
    'invalid-data',
    `${shown(path)} is a folder, and a file or link, too; nothing is written through a link`,
  )
}
