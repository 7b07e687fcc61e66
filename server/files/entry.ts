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

/**
 * The same entry under another name, as a parent folder lists the root of a mount. At another place the target
 * of a symlink would lead elsewhere, so it is not kept.
 */
export function renameEntry(entry: Entry, name: string): Entry {
  if (entry.name === name) return entry
  const { target: _, ...rest } = entry
  // `open` may be a method of a class, which a spread does not copy.
  return { ...rest, name, open: (): Promise<OpenFile> => entry.open() }
}

/** What is behind a symlink, as if no link led to it. */
export function behindLink(entry: Entry): Entry {
  if (entry.target === undefined) return entry
  const { target: _, ...rest } = entry
  return { ...rest, open: (): Promise<OpenFile> => entry.open() }
}

/** The symlink itself, for protocols that can show one. Any other entry as it is. */
export function linkItself(entry: Entry): Entry {
  const { name, target, modifiedMs } = entry
  if (target === undefined) return entry
  return {
    name,
    kind: 'symlink',
    size: Buffer.byteLength(target),
    modifiedMs,
    etag: `link-${encodeURIComponent(target)}`,
    target,
    open: () => Promise.reject(new Failure('bad-request', `${name} is a symlink; it has no bytes to read`)),
  }
}

/**
 * Compares names by UTF-16 code unit, as `LC_ALL=C ls` does for ASCII names: every machine and service sorts
 * alike.
 */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  if (a.name === b.name) return 0
  return a.name < b.name ? -1 : 1
}
