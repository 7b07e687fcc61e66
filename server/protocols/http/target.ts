import { Failure } from '../../core/failure.ts'
import { type CleanPath, cleanPath } from '../../files/path.ts'

/** A parsed request target: RFC 9112 section 3.2, and what boot loaders send. */
export interface Target {
  readonly path: CleanPath
  /** The text after the first `?`, undecoded; '' without a `?`. */
  readonly query: string
  /** `host[:port]` of an absolute-form target, which overrides the Host header (RFC 9112 section 3.2.2). */
  readonly host?: string
}

/**
 * Parses a request target as node:http gives it: one character per byte sent.
 *
 * The path is decoded once and then cleaned, so `%2e%2e`, `%2F`, `//`, `/./` and `/../` all mean what their
 * decoded form means, inside the root. Bytes over 0x7f are taken as UTF-8 whether escaped or not: GRUB 2.06
 * and busybox wget send them raw. `#` is a character of the name: no client that knows fragments sends one.
 *
 * @throws Failure `bad-request` for a broken escape, a control character or a target that is not a path.
 */
export function parseTarget(raw: string): Target {
  const absolute = raw.startsWith('/') ? undefined : /^https?:\/\/([^/?]*)(.*)$/is.exec(raw)
  if (!raw.startsWith('/') && !absolute)
    throw new Failure(
      'bad-request',
      `request target ${JSON.stringify(raw.slice(0, 200))} is not a path; a path begins with /`,
    )
  const pathAndQuery = absolute ? (absolute[2] ?? '') : raw
  const cut = pathAndQuery.indexOf('?')
  const path = cleanPath(percentDecode(cut < 0 ? pathAndQuery : pathAndQuery.slice(0, cut)))
  const query = cut < 0 ? '' : pathAndQuery.slice(cut + 1)
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

/** Encodes a path for a URL. Escapes every byte that a client might read as something else. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}

/** A request line that is longer is left as it is. */
const maxLineBytes = 4096
const firstLine = /^(GET|HEAD) ([\x20-\x7e\x80-\xff]+) (HTTP\/1\.[01])\r?\n/

/**
 * Rewrites the request line of a boot loader into one that node's parser accepts. GRUB 2.06 sends a path as
 * its script has it: with raw spaces, raw UTF-8, and without the first slash (`GET plain/x HTTP/1.1`);
 * busybox wget sends raw UTF-8. Only a `GET` or `HEAD` line is rewritten. It is unambiguous, because the
 * version ends it. RFC 9112 section 3 asks for a 400, but then the machine would not boot.
 *
 * Only the first request of a connection is repaired: these clients open one connection per file.
 */
export function repairRequestLine(read: Buffer): Buffer {
  const [line, method, target = '', version] = firstLine.exec(read.toString('latin1', 0, maxLineBytes)) ?? []
  if (line === undefined || needsNoRepair(target)) return read
  const escaped = target.replace(
    /[\x20\x80-\xff]/g,
    (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  // `*` is no path (RFC 9112 section 3.2.4): it is left as it is, and refused later.
  const slash = /^(\/|https?:\/\/|\*$)/i.test(target) ? '' : '/'
  const repaired = Buffer.from(`${method} ${slash}${escaped} ${version}\r\n`, 'latin1')
  return Buffer.concat([repaired, read.subarray(line.length)])
}

function needsNoRepair(target: string): boolean {
  return target.startsWith('/') && /^[\x21-\x7e]*$/.test(target)
}
