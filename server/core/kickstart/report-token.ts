/** Names of the includes in a template, whichever way they are quoted. */
const includes = /\{%-?\s*(?:include|extends|import|from)\s+(['"])(.*?)\1/g

/**
 * Whether a template, with all that it includes, names the URL that its installer reports to. The installer then has
 * the token of its installation, and a report without it comes from somebody else.
 *
 * @param templates By name: the text of each template.
 */
export function reportsWithToken(name: string, templates: ReadonlyMap<string, string>): boolean {
  const seen = new Set<string>()
  const pending = [name]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    const text = templates.get(next) ?? ''
    if (/\breport_urls?\b/.test(text)) return true
    for (const [, , included = ''] of text.matchAll(includes)) pending.push(included)
  }
  return false
}
