import { excerpt, type Notes, unquote } from './text.ts'

/**
 * A path from a descriptor, relative to the tree. Leading `/` and `./` are dropped with a note: virtinst
 * joins `/images/x` with os.path.join and then looks outside the tree. `..` is kept, because it leads to a
 * tree beside this one (`../../AppStream`); the service that opens the path cleans it. Undefined for an empty
 * value.
 */
export function treePath(value: string, what: string, notes: Notes, line?: number): string | undefined {
  const [first = '', ...rest] = value.split('\n')
  if (rest.length > 0) notes.add(`${what} has several lines; only the first is used`, line)
  const bare = unquote(first.trim())
  if (bare !== first.trim()) notes.add(`${what} is in quotes; taken without them`, line)
  const path = withoutRoot(bare)
  if (path !== bare)
    notes.add(`${what} is ${excerpt(bare)}; paths are relative to the tree, taken as ${excerpt(path)}`, line)
  if (path === '' || path === '.') return undefined
  if (path.split('/').includes('..')) notes.add(`${what} leaves the tree: ${excerpt(path)}`, line)
  return path
}

/** `./images/x` and `//images/x` -> `images/x`. */
export function withoutRoot(path: string): string {
  return path.replace(/^(?:\.?\/)+/, '')
}

/**
 * The folder of a repository, from its path in a descriptor; `.` is the tree. RHEL 6 and 7 name the
 * `repodata` folder inside of it, so that last part is dropped, as is a slash at the end.
 */
export function repositoryPath(value: string): string {
  const [first = ''] = value.split('\n')
  const path = withoutRoot(unquote(first.trim()))
    .replace(/\/+$/, '')
    .replace(/(?:^|\/)repodata$/, '')
    .replace(/\/+$/, '')
  return path === '' ? '.' : path
}
