import { realpath } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import { Failure } from '../core/failure.ts'
import { allowingLine, isBelowUrl, plainSourceUrl } from '../core/net/listed-url.ts'
import { isInside } from '../host/paths.ts'

export function isUrl(source: string): boolean {
  return /^[a-z][a-z\d+.-]*:\/\//i.test(source)
}

/**
 * Checks a URL that a client of the API wants to be fetched.
 *
 * @throws Failure `bad-request` for what is no URL of a tree, `forbidden` unless it is listed.
 */
export function requireListedUrl(source: string, allow: readonly string[]): void {
  const url = plainSourceUrl(source)
  const expected = 'a URL of http, https, ftp or rsync without a password, and without %2F or .. in its path'
  if (!url) throw new Failure('bad-request', `${shown(source)}: expected ${expected}`)
  if (!isBelowUrl(url, allow)) throw new Failure('forbidden', notListed(source))
}

/**
 * The real path of a file or folder of this machine that a client of the API wants to be imported.
 *
 * @throws Failure `bad-request` for a path that is not absolute, `forbidden` unless it really lies in a listed one,
 *   `not-found` when it would.
 */
export async function requireListedPath(source: string, allow: readonly string[]): Promise<string> {
  if (!isAbsolute(source) || source.includes('\0'))
    throw new Failure('bad-request', `${shown(source)}: expected a URL, or an absolute path on the server`)
  const listed = allow.filter((each) => each.startsWith('/'))
  const real = await realpath(source).catch(() => undefined)
  // Of what is not listed nobody learns whether it is there.
  const places = real === undefined ? listed.map((each) => resolve(each)) : await realPathsOf(listed)
  const path = real ?? resolve(source)
  if (!places.some((place) => place === path || isInside(place, path)))
    throw new Failure('forbidden', notListed(source))
  if (real === undefined) throw new Failure('not-found', `${shown(source)} does not exist`)
  return real
}

async function realPathsOf(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(paths.map((path) => realpath(path).catch(() => undefined)))
  return found.filter((path) => path !== undefined)
}

function notListed(source: string): string {
  return `${shown(source)} is not listed; ${allowingLine(shown(source))}`
}

/** Without a password, if it has one. */
function shown(source: string): string {
  return source.slice(0, 200).replace(/\/\/[^/]*@/, '//***@')
}
