import { isPlainName } from './upstream.ts'

/** The most characters of a tag: a name of 255 bytes has at most 765 in a URL. */
const longestTag = 8192

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
  for (const link of linksOn(page)) {
    const href = link
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

/**
 * The `href` of each `<a>`, as written. A quoted value may hold a `>`. Each tag is looked at up to the next `<a`
 * and no further: one expression for all of them would search the whole page again from each beginning.
 */
function* linksOn(page: string): Generator<string> {
  const tag = /<a\s/gi
  for (let found = tag.exec(page); found; ) {
    const start = tag.lastIndex
    found = tag.exec(page)
    const attributes = page.slice(start, Math.min(found?.index ?? page.length, start + longestTag))
    const [, double, single] = /^(?:[^>]*?\s)?href\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(attributes) ?? []
    const href = double ?? single
    if (href !== undefined) yield href
  }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
