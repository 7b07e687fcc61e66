/** Nobody writes a longer one by hand. */
const longest = 1000

/**
 * The path of this server in a text that a client sent, so that a redirect leads nowhere else; undefined for all other texts.
 * A browser takes `//host` and `/\host` for another server, and drops tabs and line breaks (WHATWG URL, 4.4).
 */
export function ownPath(text: string): string | undefined {
  if (text.length > longest || !/^\/(?![/\\])[^\s\\\u0000-\u001f\u007f]*$/.test(text)) return undefined
  const anyHost = 'http://host.invalid'
  if (!URL.canParse(text, anyHost)) return undefined
  const { origin, pathname, search, hash } = new URL(text, anyHost)
  // `/.//host` becomes `//host`.
  return origin === anyHost && !pathname.startsWith('//') ? `${pathname}${search}${hash}` : undefined
}
