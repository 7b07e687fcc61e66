import { Failure } from '../core/failure.ts'
import { requestLimits } from '../core/limits/requests.ts'

declare const clean: unique symbol

/**
 * A path inside the namespace that is safe to look up. It begins with `/` and has no empty, `.` or `..`
 * component, no trailing slash (except the root, `/`) and no control character. Only this file makes such
 * paths.
 */
export type CleanPath = string & { readonly [clean]: true }

export const rootPath = '/' as CleanPath

/** Longest path that we look up, in UTF-16 units. PATH_MAX on Linux is 4096 bytes. */
const maxLength = requestLimits.requestPath.bytes
/** The characters of a refused path that its message quotes. */
const quotedLength = 200

/**
 * Makes a path safe to look up. Every path from a client, and every name from a descriptor or an image,
 * passes through this function before it is looked up.
 *
 * `//`, `/./` and `/../` are resolved as text, and `..` at the root stays at the root. libosinfo asks for
 * `TREE//.treeinfo` and shim for `//grubx64.efi`; iPXE and busybox send `..` unresolved. Percent-encoding is
 * not decoded here: HTTP does that, and TFTP clients mean `%20` literally.
 *
 * @throws Failure `bad-request` for control characters and over-long paths.
 */
export function cleanPath(raw: string): CleanPath {
  if (raw.length > maxLength)
    throw new Failure('bad-request', `the path has ${raw.length} characters, expected at most ${maxLength}`)
  if (isCleanAlready(raw)) return raw as CleanPath
  const kept: string[] = []
  for (const part of raw.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') kept.pop()
    else kept.push(part)
  }
  const path = `/${kept.join('/')}`
  if (hasControl(path))
    throw new Failure(
      'bad-request',
      `control character in path ${JSON.stringify(raw.slice(0, quotedLength))}`,
    )
  return path as CleanPath
}

/** `name` below `parent`. The name is cleaned as any other path is, so it cannot lead above `parent`. */
export function joinPath(parent: CleanPath, name: string): CleanPath {
  const below = cleanPath(name)
  if (parent === '/') return below
  return below === '/' ? parent : (`${parent}${below}` as CleanPath)
}

/**
 * The path that a relative path means in `folder`, with `..` resolved as text. Undefined when it is absolute, or
 * leads above the root at any step. Targets of symlinks and paths in documents pass through here.
 *
 * @throws Failure as `cleanPath` does.
 */
export function pathInside(folder: CleanPath, relative: string): CleanPath | undefined {
  if (relative.startsWith('/')) return undefined
  let depth = folder === rootPath ? 0 : folder.split('/').length - 1
  for (const part of relative.split('/')) {
    if (part === '' || part === '.') continue
    depth += part === '..' ? -1 : 1
    if (depth < 0) return undefined
  }
  return cleanPath(`${folder}/${relative}`)
}

/** The longest target that Linux takes (symlink(2)). */
const maxTargetBytes = 4095

/**
 * Whether services may show this target of a symlink, if it stays inside: it is relative, and UTF-8 without control
 * characters. In a name that was not UTF-8, Node has U+FFFD.
 */
export function isServedTarget(target: string): boolean {
  if (target === '' || target.startsWith('/') || hasControl(target)) return false
  return !/\ufffd|\p{Cs}/u.test(target) && Buffer.byteLength(target) <= maxTargetBytes
}

/** Where a symlink in `folder` leads; undefined when its target may not be shown, or leads above the root. */
export function linkTarget(folder: CleanPath, target: string): CleanPath | undefined {
  const isShort = folder.length + target.length < maxLength
  return isShort && isServedTarget(target) ? pathInside(folder, target) : undefined
}

/** Whether a name of the disk can be in a path; a listing leaves out the others. */
export function isServedName(name: string): boolean {
  return !hasControl(name)
}

export function parentPath(path: CleanPath): CleanPath {
  const cut = path.lastIndexOf('/')
  return cut <= 0 ? rootPath : (path.slice(0, cut) as CleanPath)
}

export function baseName(path: CleanPath): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/**
 * The part of `path` below `prefix`, `/` for `prefix` itself; undefined when `path` lies elsewhere.
 * `/trees/a` is below `/trees`, `/treesome` is not.
 */
export function below(prefix: CleanPath, path: CleanPath): CleanPath | undefined {
  if (prefix === '/') return path
  if (!path.startsWith(prefix)) return undefined
  if (path.length === prefix.length) return rootPath
  return path.charCodeAt(prefix.length) === slash ? (path.slice(prefix.length) as CleanPath) : undefined
}

const slash = 0x2f
const dot = 0x2e

/** Checks the common case in one pass, so that a clean path costs no allocation. */
function isCleanAlready(raw: string): boolean {
  if (raw.charCodeAt(0) !== slash) return false
  if (raw.length === 1) return true
  let partStart = 1
  for (let i = 1; i <= raw.length; i++) {
    const code = i === raw.length ? slash : raw.charCodeAt(i)
    if (isControl(code)) return false
    if (code !== slash) continue
    if (isRelative(raw, partStart, i - partStart)) return false
    partStart = i + 1
  }
  return true
}

/** Whether a component is empty, `.` or `..`. */
function isRelative(raw: string, start: number, length: number): boolean {
  if (length > 2) return false
  if (length === 0) return true
  return raw.charCodeAt(start) === dot && (length === 1 || raw.charCodeAt(start + 1) === dot)
}

function hasControl(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (isControl(text.charCodeAt(i))) return true
  return false
}

function isControl(code: number): boolean {
  return code < 0x20 || code === 0x7f
}
