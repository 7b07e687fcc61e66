import { Failure, failureMessage } from '../core/failure.ts'
import { type CleanPath, pathInside } from '../files/path.ts'
import type { Finding } from './expected-file.ts'

/**
 * The path in the source of a file that a document names. Names may hold `./` and `..`, and may begin with a slash,
 * which means the folder of the document.
 *
 * @throws Failure `invalid-data` for a name that leads out of the source, and as `cleanPath` does.
 */
export function namedPath(folder: CleanPath, name: string): CleanPath {
  const path = pathInside(folder, name.replace(/^\/+/, ''))
  if (path === undefined) throw new Failure('invalid-data', 'it leads out of the tree')
  return path
}

/** How much of a name a message shows: a damaged document may hold a name of many pages. */
const longestShown = 200

/** A finding for a name that no file can have: the document `by` is damaged or malicious. */
export function impossiblePath(by: string, name: string, error: unknown): Finding {
  const shown = JSON.stringify(name).slice(0, longestShown)
  const message = `names ${shown}, which is not a path: ${failureMessage(error)}`
  return { severity: 'error', path: by, message }
}
