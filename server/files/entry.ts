import { Failure } from '../core/failure.ts'
import type { Entry, OpenFile } from './source.ts'

/** A folder has no bytes: its etag only says when it was changed. */
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

/** The same thing under another name: a mount's root as its parent lists it. */
export function renameEntry(entry: Entry, name: string): Entry {
  if (entry.name === name) return entry
  return { ...entry, name, open: (): Promise<OpenFile> => entry.open() }
}

/** By UTF-16 code unit, as `LC_ALL=C ls` does for ASCII names: the same on every machine and through every service. */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
