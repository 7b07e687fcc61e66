/** Where the metadata of a repository says that a file lies. */
export interface Location {
  /** Relative to the repository, with its base. As written when the file lies elsewhere. */
  readonly href: string
  /** The other server or place that has the file: it is not part of this repository. */
  readonly elsewhere?: string
}

/**
 * Joins `href` and `xml:base` of a location. Librepo 1.19 (dnf) and libsolv (zypper) put one slash between them, also
 * where RFC 3986 section 5.2 would replace the last name of the base. Merged repositories with one pool have a
 * relative base, createrepo_c's `--baseurl` an absolute one.
 *
 * @returns Undefined for `media://`, by which createrepo told the CDs of a set apart.
 */
export function locationOf(href: string, base = ''): Location | undefined {
  if (/^media:/i.test(base)) return undefined
  const [, server] =
    /^([a-z][a-z0-9+.-]*:(?:\/\/[^/]*)?)/i.exec(base) ?? /^([a-z][a-z0-9+.-]*:\/\/[^/]*)/i.exec(href) ?? []
  if (server !== undefined) return { href, elsewhere: server }
  if (base.startsWith('/')) return { href, elsewhere: base }
  return { href: base === '' ? href : `${base.replace(/\/+$/, '')}/${href.replace(/^\/+/, '')}` }
}

/** Counts files that lie elsewhere, and tells of them in one line. */
export class ElsewhereCount {
  #files = 0
  #first = ''

  /** Whether the file lies elsewhere; then it was counted. */
  add({ elsewhere }: Pick<Location, 'elsewhere'>): boolean {
    if (elsewhere === undefined) return false
    if (this.#files++ === 0) this.#first = elsewhere
    return true
  }

  /** Undefined when there is no such file. A server's name may be of any length and hold anything. */
  get note(): string | undefined {
    if (this.#files === 0) return undefined
    const files = this.#files === 1 ? '1 file that is' : `${this.#files} files that are`
    return `names ${files} not in this tree, but at ${JSON.stringify(this.#first).slice(0, longestShown)}: guests fetch such files from there`
  }
}

const longestShown = 200
