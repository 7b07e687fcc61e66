import { Failure } from '../../core/failure.ts'
import { type CleanPath, cleanPath } from '../../files/path.ts'

export interface Target {
  readonly path: CleanPath
  /** What follows the first `?`, undecoded; '' when there is none. */
  readonly query: string
  /** `host[:port]` of an absolute-form target, which overrides the Host header (RFC 9112 section 3.2.2). */
  readonly host?: string
}

/**
 * Reads a request target as node:http gives it: one character per byte sent.
 *
 * Decoded once and cleaned afterwards, so `%2e%2e`, `%2F`, `//`, `/./` and `/../` all mean what their decoded form
 * means, inside the root. Bytes over 0x7f are taken as UTF-8 whether escaped or not: GRUB 2.06 and busybox wget
 * send them raw. `#` is a character of the name: no client that knows fragments sends one.
 *
 * @throws Failure `bad-request` for a broken escape, a control character or a target that is no path.
 */
export function parseTarget(raw: string): Target {
  const absolute = raw.startsWith('/') ? undefined : /^https?:\/\/([^/?]*)(.*)$/is.exec(raw)
  if (!raw.startsWith('/') && !absolute)
    throw new Failure(
      'bad-request',
      `request target ${JSON.stringify(raw.slice(0, 200))} is no path; it begins with /`,
    )
  const rest = absolute ? (absolute[2] ?? '') : raw
  const cut = rest.indexOf('?')
  const path = cleanPath(percentDecode(cut < 0 ? rest : rest.slice(0, cut)))
  const query = cut < 0 ? '' : rest.slice(cut + 1)
  return absolute?.[1] ? { path, query, host: absolute[1] } : { path, query }
}

const needsDecoding = /[%\x80-\uffff]/

function percentDecode(text: string): string {
  if (!needsDecoding.test(text)) return text
  const broken = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(text)
  if (broken)
    throw new Failure(
      'bad-request',
      `broken escape ${JSON.stringify(broken[0])} in path; a literal % is written %25`,
    )
  const bytes = text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

/** A path as a URL path: every byte escaped that some client might read as something else. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}
