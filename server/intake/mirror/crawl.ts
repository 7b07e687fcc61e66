import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'
import { cleanPath, linkTarget } from '../../files/path.ts'
import type { RemoteName, Upstream } from './upstream.ts'
import type { UpstreamPool } from './upstream-pool.ts'

/** Beyond these limits the URL is that of a whole mirror, or its folders have no end. */
const maxListed = upstreamLimits.crawl.entries
const maxDepth = upstreamLimits.crawl.depth

/** A folder that lists the same names as another that was walked through: perhaps one folder under two paths. */
export interface Twin {
  /** Relative to the upstream, with a slash at its end. */
  readonly folder: string
  /** Tells which names it lists. */
  readonly key: string
}

/**
 * Lists every file of an upstream by its index pages or FTP listings, for trees without a `.treeinfo`. Paths are
 * relative to the upstream; those of folders end with a slash, and that of the upstream is ''.
 *
 * Debian's media have `debian -> .`. By FTP that is a link. A web server follows it, so the folder has no end; what
 * lists the same names as an earlier folder is a twin, and is not walked into (`TwinFinder`).
 */
export class Crawl {
  readonly #pool: UpstreamPool
  readonly #signal: AbortSignal | undefined
  readonly #names = new Map<string, readonly RemoteName[]>()
  /** The folders that were walked through, by what they list. */
  readonly #folders = new Map<string, string[]>()
  #listed = 0
  /** Paths that the upstream lists, and that are not part of the tree. */
  readonly made: readonly string[]
  readonly files: string[] = []
  readonly links: { readonly path: string; readonly target: string }[] = []
  /** Twins that nobody has looked at yet. */
  readonly twins: Twin[] = []
  /** For people: what was left out, and why. */
  readonly notes: string[] = []

  /** @param made Paths that the upstream lists, and that are not part of the tree (`madeByTreeboot`). */
  constructor(pool: UpstreamPool, signal?: AbortSignal, made: readonly string[] = []) {
    this.#pool = pool
    this.#signal = signal
    this.made = made
  }

  /** The names in a folder that was walked through; of another one, as the upstream lists it now. */
  async namesIn(folder: string): Promise<readonly RemoteName[] | undefined> {
    const options = { isOptional: true, ...defined({ signal: this.#signal }) }
    const list = (upstream: Upstream) => upstream.list(folder, this.#signal)
    const known = this.#names.get(folder)
    if (known) return known
    const listed = await this.#pool.ask(folder, list, options)
    return listed && this.made.length > 0 ? this.#withoutMade(folder, listed) : listed
  }

  /** What a folder lists of the tree: without files that were made, and without folders of nothing else. */
  async #withoutMade(folder: string, listed: readonly RemoteName[]): Promise<readonly RemoteName[]> {
    this.#checkDepth(folder)
    const kept: RemoteName[] = []
    for (const each of listed) {
      const path = `${folder}${each.name}`
      const mayBeMade = path.endsWith('/') && this.made.some((made) => made.startsWith(path))
      const isMade = mayBeMade ? (await this.namesIn(path))?.length === 0 : this.made.includes(path)
      if (!isMade) kept.push(each)
    }
    return kept
  }

  /** Whether any folder lists a name that begins with a dot. Many index pages show none. */
  get hasDotNames(): boolean {
    return [...this.#names.values()].some((names) => names.some(({ name }) => name.startsWith('.')))
  }

  hasWalked(folder: string): boolean {
    return this.#names.has(folder)
  }

  /** Walks through a folder, which is taken for itself also if it has a twin. */
  async walk(start = ''): Promise<void> {
    let level: readonly string[] = [start]
    while (level.length > 0) {
      const below: string[] = []
      for (const folder of level) {
        this.#checkDepth(folder)
        const listed = await this.namesIn(folder)
        if (!listed && folder !== '')
          this.notes.push(`${folder} is left out: the upstream does not list what is in it`)
        const names = listed ?? []
        if (folder === start || !this.#isTwin(folder, names)) this.#takeFolder(folder, names, below)
      }
      level = below
    }
  }

  #takeFolder(folder: string, names: readonly RemoteName[], below: string[]): void {
    this.count(names.length)
    this.#names.set(folder, names)
    const key = keyOf(names)
    this.#folders.set(key, [...(this.#folders.get(key) ?? []), folder])
    for (const each of names) this.#take(folder, each, below)
  }

  #isTwin(folder: string, names: readonly RemoteName[]): boolean {
    const key = keyOf(names)
    const isTwin = names.length > 0 && this.#folders.has(key)
    if (isTwin) this.twins.push({ folder, key })
    return isTwin
  }

  /** The folders that a twin may be: those that hold it first, the nearest at the front. */
  originalsOf({ folder, key }: Twin): readonly string[] {
    const nearness = (original: string): number => (folder.startsWith(original) ? original.length : -1)
    return (this.#folders.get(key) ?? [])
      .toSorted((a, b) => nearness(b) - nearness(a))
      .slice(0, mostOriginals)
  }

  #take(folder: string, { name, target }: RemoteName, below: string[]): void {
    const path = `${folder}${name}`
    if (target === undefined) (name.endsWith('/') ? below : this.files).push(path)
    else if (linkTarget(cleanPath(folder), target) !== undefined) this.links.push({ path, target })
    else this.notes.push(`${path} is left out: its link to ${target} leads out of the tree`)
  }

  #checkDepth(folder: string): void {
    if (folder.split('/').length <= maxDepth) return
    throw new Failure(
      'too-large',
      `${this.#pool.upstreams[0]?.url}${folder} is more than ${maxDepth} folders deep; name the folder of one tree`,
    )
  }

  /** @throws Failure `too-large` when the upstream has named too many files. */
  count(names: number): void {
    this.#listed += names
    if (this.#listed <= maxListed) return
    throw new Failure(
      'too-large',
      `${this.#pool.upstreams[0]?.url} lists more than ${maxListed} files; name the folder of one installation tree in it`,
    )
  }
}

/** The most folders that one twin is compared with. */
const mostOriginals = 8

/** The same for listings with the same names. No name has a line break. */
export function keyOf(names: readonly RemoteName[] | undefined): string {
  return (names ?? []).map(({ name, target = '' }) => `${name}\n${target}`).join('\n\n')
}
