import { Failure } from '../../core/failure.ts'
import { imageLimits } from '../../core/limits/images.ts'
import { type CleanPath, cleanPath, rootPath } from '../../files/path.ts'

const { bytes: mostBytes, depth: mostDepth } = imageLimits.unpackedPath
/** NAME_MAX of Linux. */
const mostNameBytes = 255

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
  if (Buffer.byteLength(path) > mostBytes) throw refuse(`has more than ${mostBytes} bytes`)
  if (names.length > mostDepth) throw refuse(`lies more than ${mostDepth} folders deep`)
  if (names.some((name) => Buffer.byteLength(name) > mostNameBytes))
    throw refuse(`has a name of more than ${mostNameBytes} bytes`)
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
