import { isPlainName } from './upstream.ts'

/**
 * The names that an index page links to directly below itself; those of folders end with a slash. Apache,
 * nginx, lighttpd, Python and we ourselves write one link for each name. Links for sorting (`?C=M`), to the
 * parent and to other places are ignored.
 *
 * @param at The URL of the page.
 */
export function namesOnPage(page: string, at: URL): readonly string[] {
  // A folder may be served without the slash at the end of its URL.
  const base = at.pathname.endsWith('/') ? at : new URL(`${at.pathname}/`, at)
  const names = new Set<string>()
  for (const [, double, single] of page.matchAll(/<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')/gi)) {
    const href = (double ?? single ?? '')
      .replaceAll('&amp;', '&')
      .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    if (href === '' || /[?#]/.test(href) || !URL.canParse(href, base.href)) continue
    const target = new URL(href, base)
    if (target.origin !== base.origin || !target.pathname.startsWith(base.pathname)) continue
    const name = decode(target.pathname.slice(base.pathname.length))
    if (name !== undefined && isPlainName(name)) names.add(name)
  }
  return [...names].sort()
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
