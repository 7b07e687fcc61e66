import { Failure } from '../core/failure.ts'
import type { Entry, OpenFile } from './source.ts'

/** A folder as an entry. It has no bytes, so by default its etag depends on its modification time alone. */
export function folderEntry(name: string, modifiedMs: number, etag = `folder-${modifiedMs}`): Entry {
  return {
    name,
    kind: 'folder',
    size: 0,
    modifiedMs,
    etag,
    open: () =>
      Promise.reject(new Failure('bad-request', `${name || '/'} is a folder; it has no bytes to read`)),
  }
}

/** The same entry under another name, as a parent folder lists the root of a mount. */
export function renameEntry(entry: Entry, name: string): Entry {
  if (entry.name === name) return entry
  // `open` may be a method of a class, which a spread does not copy.
  return { ...entry, name, open: (): Promise<OpenFile> => entry.open() }
}

/**
 * Compares names by UTF-16 code unit, as `LC_ALL=C ls` does for ASCII names: every machine and service sorts
 * alike.
 */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  if (a.name === b.name) return 0
  return a.name < b.name ? -1 : 1
}
