import { Failure, failureMessage } from '../../core/failure.ts'
import type { Description } from '../../core/tree/tree.ts'
import { baseName, type CleanPath, cleanPath, parentPath } from '../../files/path.ts'
import { readWhole } from '../../files/read-whole.ts'
import type { Entry, FileSource } from '../../files/source.ts'
import { unpacked } from '../../files/unpack.ts'
import { parseChecksumList } from './checksum-list.ts'
import type { Claim, Claims, Finding } from './claim.ts'
import { parseRelease, readPackagesIndex } from './debian-index.ts'
import { readPackages } from './primary.ts'
import { maxRepomdBytes, parseRepomd } from './repomd.ts'
import { findDocuments, readPieces, self } from './walk.ts'

export interface CollectOptions {
  /** Also what `primary.xml` and `Packages` name, which may be 60,000 files. */
  readonly packages: boolean
}

const maxListBytes = 64 * 1024 * 1024

/**
 * Everything that the documents of a tree say about files: `.treeinfo`, `repomd.xml` and below, lists of checksums,
 * Debian's `Release` and below. A document that cannot be read is a finding and stops nothing.
 *
 * @param at The tree in `source`. Repositories beside it are followed as far as the source reaches.
 */
export async function collectClaims(
  source: FileSource,
  at: CleanPath,
  description: Description | undefined,
  options: CollectOptions,
): Promise<Claims> {
  const collector = new Collector(source, at)
  const found = await findDocuments(source, at)
  if (description) collector.takeDescription(description)
  const repositories = new Set(found.repositories)
  for (const { path } of description?.repositories ?? []) {
    try {
      repositories.add(cleanPath(`${at}/${path}`))
    } catch (error) {
      collector.findings.push(impossiblePath('the descriptor', path, error))
    }
  }
  for (const repository of repositories) await collector.takeRepository(repository, options)
  for (const list of found.checksumLists) await collector.takeChecksumList(list)
  for (const release of found.releases) await collector.takeRelease(release, options)
  return collector
}

class Collector implements Claims {
  readonly claims: Claim[] = []
  readonly findings: Finding[] = []
  readonly documents: string[] = []
  readonly #source: FileSource
  readonly #at: CleanPath

  constructor(source: FileSource, at: CleanPath) {
    this.#source = source
    this.#at = at
  }

  takeDescription({ era, checksums }: Description): void {
    const by = era.startsWith('treeinfo') ? '.treeinfo' : 'the descriptor'
    for (const [path, digest] of Object.entries(checksums))
      this.#claim(this.#at, path, { digest, by, weight: 'required' })
    if (Object.keys(checksums).length > 0) this.documents.push(by)
  }

  async takeRepository(repository: CleanPath, { packages }: CollectOptions): Promise<void> {
    const path = cleanPath(`${repository}/repodata/repomd.xml`)
    const entry = await this.#file(path)
    if (!entry) {
      const message = 'is named as a repository and has no repodata/repomd.xml here'
      this.findings.push({ severity: 'warning', path: relativeTo(this.#at, repository), message })
      return
    }
    await this.#reading(path, async (by) => {
      const files = parseRepomd(await this.#text(entry, maxRepomdBytes))
      for (const file of files) this.#claim(repository, file.href, { ...file, by, weight: 'required' })
      const primary = files.find((file) => file.type === 'primary')
      if (packages && primary) await this.#takePrimary(repository, primary.href)
      if (!primary) this.#warn(by, 'names no list of packages (type primary)')
    })
  }

  async #takePrimary(repository: CleanPath, href: string): Promise<void> {
    const path = cleanPath(`${repository}/${href}`)
    const entry = await this.#file(path)
    // That it is missing is said already: repomd.xml names it.
    if (!entry) return
    await this.#reading(path, async (by) => {
      for await (const file of readPackages(unpacked(copied(readPieces(entry)), by)))
        this.#claim(repository, file.href, { ...file, by, weight: 'required' })
    })
  }

  async takeChecksumList(path: CleanPath): Promise<void> {
    const entry = await this.#file(path)
    if (!entry) return
    await this.#reading(path, async (by) => {
      const { entries, odd } = parseChecksumList(await this.#text(entry, maxListBytes))
      const folder = parentPath(path)
      if (odd > 0)
        this.#warn(by, `has ${odd === 1 ? 'a line that is' : `${odd} lines that are`} no checksum of a file`)
      for (const listed of entries) {
        if (listed.path === baseName(path)) continue
        this.#claim(folder, listed.path, { digest: listed.digest, by, weight: 'listed' })
      }
    })
  }

  async takeRelease(path: CleanPath, { packages }: CollectOptions): Promise<void> {
    const entry = await this.#file(path)
    if (!entry) return
    const suite = parentPath(path)
    const archive = parentPath(parentPath(suite))
    await this.#reading(path, async (by) => {
      const files = parseRelease(await this.#text(entry, maxListBytes))
      for (const file of files) this.#claim(suite, file.path, { ...file, by, weight: 'alternative' })
      if (!packages) return
      const seen = new Set<string>()
      for (const file of files) {
        const [, name] = /^(.*\/binary-[^/]+\/Packages)(?:\.\w+)?$/.exec(file.path) ?? []
        const index =
          name !== undefined && !seen.has(name) && (await this.#file(cleanPath(`${suite}/${file.path}`)))
        if (!index || name === undefined) continue
        seen.add(name)
        await this.#takePackages(archive, cleanPath(`${suite}/${file.path}`), index)
      }
    })
  }

  async #takePackages(archive: CleanPath, path: CleanPath, entry: Entry): Promise<void> {
    await this.#reading(path, async (by) => {
      for await (const file of readPackagesIndex(unpacked(copied(readPieces(entry)), by)))
        this.#claim(archive, file.path, { ...file, by, weight: 'listed' })
    })
  }

  /** `./` and `..` are text here, and at the root of the source `..` ends. */
  #claim(folder: CleanPath, name: string, said: Omit<Claim, 'path'>): void {
    const { size, digest, by, weight } = said
    try {
      const path = cleanPath(`${folder}/${name}`)
      this.claims.push({ path, by, weight, ...(size !== undefined && { size }), ...(digest && { digest }) })
      if (!digest) this.#warn(relativeTo(this.#at, path), `is named by ${by} without a checksum that we know`)
    } catch (error) {
      this.findings.push(impossiblePath(by, name, error))
    }
  }

  #warn(path: string, message: string): void {
    this.findings.push({ severity: 'warning', path, message })
  }

  async #reading(path: CleanPath, read: (by: string) => Promise<void>): Promise<void> {
    const by = relativeTo(this.#at, path)
    try {
      await read(by)
      this.documents.push(by)
    } catch (error) {
      this.findings.push({ severity: 'error', path: by, message: `cannot be read: ${failureMessage(error)}` })
    }
  }

  async #file(path: CleanPath): Promise<Entry | undefined> {
    const entry = await this.#source.stat(path, self)
    return entry?.kind === 'file' ? entry : undefined
  }

  async #text(entry: Entry, limit: number): Promise<string> {
    if (entry.size > limit)
      throw new Failure('too-large', `has ${entry.size} bytes; at most ${limit} are expected of such a file`)
    return new TextDecoder().decode(entry.content ?? (await readWhole(entry)))
  }
}

/** A name that nothing can have: damage in the document, or malice. */
export function impossiblePath(by: string, name: string, error: unknown): Finding {
  const message = `names ${JSON.stringify(name).slice(0, 200)}, which is no path: ${failureMessage(error)}`
  return { severity: 'error', path: by, message }
}

/** Consumers that keep pieces for a while (pipes to a program) need their own. */
async function* copied(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield Uint8Array.prototype.slice.call(piece)
}

/** A path as seen from the tree: `images/x`, `../../AppStream/os/repodata/repomd.xml`. */
export function relativeTo(at: CleanPath, path: CleanPath): string {
  const from = at === '/' ? [] : at.slice(1).split('/')
  const to = path === '/' ? [] : path.slice(1).split('/')
  let same = 0
  while (same < from.length && from[same] === to[same]) same++
  return [...from.slice(same).map(() => '..'), ...to.slice(same)].join('/') || '.'
}
