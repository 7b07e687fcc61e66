import { Failure, failureMessage } from '../core/failure.ts'
import { bootFiles } from '../core/tree/boot-files.ts'
import { readDescriptors, type TreeEvidence } from '../core/tree/conclude.ts'
import type { Description } from '../core/tree/tree.ts'
import { baseName, type CleanPath, cleanPath, parentPath } from '../files/path.ts'
import { readWhole } from '../files/read-whole.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { unpacked } from '../host/unpack.ts'
import { parseChecksumList } from './documents/checksum-list.ts'
import { parseRelease, readPackagesIndex } from './documents/debian-index.ts'
import { readPackages } from './documents/primary.ts'
import { maxRepomdBytes, parseRepomd } from './documents/repomd.ts'
import type { Claim, Claims, Finding, SignatureNote } from './expected-file.ts'
import type { SignaturePolicy } from './signatures/key-files.ts'
import { SignedDocuments } from './signatures/signed-documents.ts'
import { findUnsigned } from './unsigned.ts'
import { findDocuments, readPieces, relativeTo, self } from './walk.ts'

export interface CollectOptions {
  /** Also what `primary.xml` and `Packages` name, which may be 60,000 files. */
  readonly packages: boolean
  /** Without it signatures are noted and not checked. */
  readonly signatures?: SignaturePolicy
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
  evidence: TreeEvidence | undefined,
  description: Description | undefined,
  options: CollectOptions,
): Promise<Claims> {
  const collector = new Collector(source, at, options.signatures)
  const found = await findDocuments(source, at)
  for (const [file, bytes] of evidence?.descriptors ?? []) await collector.takeDescriptor(file, bytes)
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
  if (options.signatures?.required) {
    const boots = description ? bootFiles(description).required : []
    collector.refuseUnsigned(boots.map((path) => cleanPath(`${at}/${path}`)))
  }
  return collector
}

/** What lists of checksums say, and nothing else: for an image, which they lie beside. */
export async function collectListClaims(
  source: FileSource,
  at: CleanPath,
  lists: readonly CleanPath[],
  signatures: SignaturePolicy | undefined,
): Promise<Claims & { isSigned(path: CleanPath): boolean }> {
  const collector = new Collector(source, at, signatures)
  for (const list of lists) await collector.takeChecksumList(list)
  return collector
}

class Collector implements Claims {
  readonly claims: Claim[] = []
  readonly findings: Finding[] = []
  readonly signatures: readonly SignatureNote[]
  /** Whether each is signed by a given key. */
  readonly #documents = new Map<CleanPath, boolean>()
  readonly #source: FileSource
  readonly #at: CleanPath
  readonly #signed: SignedDocuments

  constructor(source: FileSource, at: CleanPath, policy: SignaturePolicy | undefined) {
    this.#source = source
    this.#at = at
    this.#signed = new SignedDocuments(source, at, this.findings, policy?.keyring)
    this.signatures = this.#signed.signatures
  }

  get documents(): readonly string[] {
    return [...this.#documents.keys()].map((path) => relativeTo(this.#at, path))
  }

  isSigned(document: CleanPath): boolean {
    return this.#documents.get(document) ?? false
  }

  refuseUnsigned(boots: readonly CleanPath[]): void {
    // Of a signature that is there and bad it has been said what is wrong with it.
    const known = new Set(this.findings.flatMap((each) => (each.severity === 'error' ? [each.path] : [])))
    for (const { path, message } of findUnsigned(this.#documents, this.claims, boots)) {
      const shown = relativeTo(this.#at, path)
      if (!known.has(shown)) this.findings.push({ severity: 'error', path: shown, message })
    }
  }

  /** Of two descriptors that name one file the better comes first and wins, unless the other is signed. */
  async takeDescriptor(file: string, bytes: Uint8Array): Promise<void> {
    if (Object.keys(checksumsIn(file, bytes)).length === 0) return
    const path = cleanPath(`${this.#at}/${file}`)
    await this.#reading(path, async () => {
      const { signedText, isSigned } = await this.#signed.open(path, bytes)
      const known = new Set(isSigned ? [] : this.claims.map((claim) => claim.path))
      const checksums = checksumsIn(file, signedText === undefined ? bytes : Buffer.from(signedText))
      for (const [name, digest] of Object.entries(checksums))
        if (!known.has(cleanPath(`${this.#at}/${name}`)))
          this.#claim(this.#at, name, { digest, from: path, weight: 'required' })
      return isSigned
    })
  }

  async takeRepository(repository: CleanPath, { packages }: CollectOptions): Promise<void> {
    const path = cleanPath(`${repository}/repodata/repomd.xml`)
    const entry = await this.#file(path)
    if (!entry) {
      const message = 'is named as a repository and has no repodata/repomd.xml here'
      this.findings.push({ severity: 'warning', path: relativeTo(this.#at, repository), message })
      return
    }
    await this.#reading(path, async () => {
      const { text, isSigned } = await this.#open(path, entry, maxRepomdBytes)
      const files = parseRepomd(text)
      for (const file of files)
        this.#claim(repository, file.href, { ...file, from: path, weight: 'required' })
      const primary = files.find((file) => file.type === 'primary')
      if (packages && primary) await this.#takePrimary(repository, primary.href)
      if (!primary) this.#warn(relativeTo(this.#at, path), 'names no list of packages (type primary)')
      return isSigned
    })
  }

  async #takePrimary(repository: CleanPath, href: string): Promise<void> {
    const path = cleanPath(`${repository}/${href}`)
    const entry = await this.#file(path)
    // That it is missing is said already: repomd.xml names it.
    if (!entry) return
    await this.#reading(path, async (by) => {
      for await (const file of readPackages(unpacked(copied(readPieces(entry)), by)))
        this.#claim(repository, file.href, { ...file, from: path, weight: 'required' })
      return false
    })
  }

  async takeChecksumList(path: CleanPath): Promise<void> {
    const entry = await this.#file(path)
    if (!entry) return
    await this.#reading(path, async (by) => {
      const { text, isSigned } = await this.#open(path, entry, maxListBytes)
      const { entries, odd } = parseChecksumList(text)
      const folder = parentPath(path)
      if (odd > 0)
        this.#warn(by, `has ${odd === 1 ? 'a line that is' : `${odd} lines that are`} no checksum of a file`)
      for (const listed of entries) {
        if (listed.path === baseName(path)) continue
        this.#claim(folder, listed.path, { digest: listed.digest, from: path, weight: 'listed' })
      }
      return isSigned
    })
  }

  async takeRelease(path: CleanPath, { packages }: CollectOptions): Promise<void> {
    const entry = await this.#file(path)
    if (!entry) return
    const suite = parentPath(path)
    const archive = parentPath(parentPath(suite))
    await this.#reading(path, async () => {
      const { text, isSigned } = await this.#open(path, entry, maxListBytes)
      const files = parseRelease(text)
      for (const file of files) this.#claim(suite, file.path, { ...file, from: path, weight: 'alternative' })
      if (!packages) return isSigned
      const seen = new Set<string>()
      for (const file of files) {
        const [, name] = /^(.*\/binary-[^/]+\/Packages)(?:\.\w+)?$/.exec(file.path) ?? []
        const index =
          name !== undefined && !seen.has(name) && (await this.#file(cleanPath(`${suite}/${file.path}`)))
        if (!index || name === undefined) continue
        seen.add(name)
        await this.#takePackages(archive, cleanPath(`${suite}/${file.path}`), index)
      }
      return isSigned
    })
  }

  async #takePackages(archive: CleanPath, path: CleanPath, entry: Entry): Promise<void> {
    await this.#reading(path, async (by) => {
      for await (const file of readPackagesIndex(unpacked(copied(readPieces(entry)), by)))
        this.#claim(archive, file.path, { ...file, from: path, weight: 'listed' })
      return false
    })
  }

  /** `./` and `..` are text here, and at the root of the source `..` ends. */
  #claim(folder: CleanPath, name: string, said: Omit<Claim, 'path' | 'by'>): void {
    const { size, digest, from, weight } = said
    const by = relativeTo(this.#at, from)
    try {
      const path = cleanPath(`${folder}/${name}`)
      const claim = { path, by, from, weight }
      this.claims.push({ ...claim, ...(size !== undefined && { size }), ...(digest && { digest }) })
      if (!digest) this.#warn(relativeTo(this.#at, path), `is named by ${by} without a checksum that we know`)
    } catch (error) {
      this.findings.push(impossiblePath(by, name, error))
    }
  }

  #warn(path: string, message: string): void {
    this.findings.push({ severity: 'warning', path, message })
  }

  /** @param read Resolves to whether the document is signed itself. */
  async #reading(path: CleanPath, read: (by: string) => Promise<boolean>): Promise<void> {
    const by = relativeTo(this.#at, path)
    try {
      this.#documents.set(path, await read(by))
    } catch (error) {
      this.findings.push({ severity: 'error', path: by, message: `cannot be read: ${failureMessage(error)}` })
    }
  }

  async #file(path: CleanPath): Promise<Entry | undefined> {
    const entry = await this.#source.stat(path, self)
    return entry?.kind === 'file' ? entry : undefined
  }

  /** The bytes are read once: what is parsed is what was signed. */
  async #open(path: CleanPath, entry: Entry, limit: number) {
    if (entry.size > limit)
      throw new Failure('too-large', `has ${entry.size} bytes; at most ${limit} are expected of such a file`)
    return this.#signed.open(path, entry.content ?? (await readWhole(entry)))
  }
}

/** A name that nothing can have: damage in the document, or malice. */
export function impossiblePath(by: string, name: string, error: unknown): Finding {
  const message = `names ${JSON.stringify(name).slice(0, 200)}, which is no path: ${failureMessage(error)}`
  return { severity: 'error', path: by, message }
}

function checksumsIn(file: string, bytes: Uint8Array): Description['checksums'] {
  return readDescriptors(new Map([[file, bytes]]))?.checksums ?? {}
}

/** Consumers that keep pieces for a while (pipes to a program) need their own. */
async function* copied(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield Uint8Array.prototype.slice.call(piece)
}
