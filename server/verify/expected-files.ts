import { Failure, failureKind, failureMessage } from '../core/failure.ts'
import { documentLimits } from '../core/limits/documents.ts'
import { internalRequester } from '../core/net/requester.ts'
import { bootFiles } from '../core/tree/boot-files.ts'
import { readDescriptors } from '../core/tree/conclude.ts'
import type { Description } from '../core/tree/tree.ts'
import { baseName, type CleanPath, cleanPath, parentPath } from '../files/path.ts'
import { readWhole } from '../files/read-whole.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { forEachInTurns } from '../host/turns.ts'
import { unpacked } from '../host/unpack.ts'
import { readPieces } from './digests/digests.ts'
import { parseChecksumList } from './documents/checksum-list.ts'
import { type IndexedFile, parseRelease, readPackagesIndex } from './documents/debian-index.ts'
import { ElsewhereCount } from './documents/location.ts'
import { readPackages } from './documents/primary.ts'
import { parseRepomd } from './documents/repomd.ts'
import type { ExpectedFile, ExpectedFiles, Finding, SignatureNote, TreeToVerify } from './expected-file.ts'
import { type Documents, findDocuments, withoutLinks } from './find-documents.ts'
import { impossiblePath, namedPath } from './named-path.ts'
import { relativeTo } from './relative-path.ts'
import type { SignaturePolicy } from './signatures/key-files.ts'
import { type OpenedDocument, SignedDocuments } from './signatures/signed-documents.ts'
import { findUnsigned } from './unsigned.ts'

/** What is collected, and by which keys it is judged. */
export interface CollectOptions {
  /** Whether to include the packages that `primary.xml` and `Packages` name, which may be 60,000 files. */
  readonly packages: boolean
  /** How signatures are checked. Without it they are only reported as unchecked. */
  readonly signatures?: SignaturePolicy
}

/**
 * Collects everything that the documents of a tree say about files: `.treeinfo`, `repomd.xml` and below,
 * lists of checksums, Debian's `Release` and below. A document that cannot be read is a finding, and the
 * others are still read.
 *
 * @param description What the evidence of the tree says; undefined when it was not recognised.
 */
export async function collectExpectedFiles(
  { source, at, evidence }: TreeToVerify,
  description: Description | undefined,
  options: CollectOptions,
): Promise<ExpectedFiles> {
  const found = await findDocuments(source, at)
  const collector = new Collector(source, at, options.signatures, found.links)
  if (found.stopped !== undefined) collector.noteStoppedSearch(found.stopped)
  for (const [file, bytes] of evidence?.descriptors ?? []) await collector.takeDescriptor(file, bytes)
  const repositories = new Set(found.repositories)
  for (const { path } of description?.repositories ?? []) {
    try {
      repositories.add(withoutLinks(cleanPath(`${at}/${path}`), found.links))
    } catch (error) {
      collector.findings.push(impossiblePath('the descriptor', path, error))
    }
  }
  for (const repository of repositories) await collector.takeRepository(repository, options)
  for (const list of found.checksumLists) await collector.takeChecksumList(list)
  for (const release of found.releases) await collector.takeRelease(release, options)
  if (options.signatures?.required) {
    const required = description ? bootFiles(description).required : []
    collector.refuseUnsigned(required)
  }
  return collector
}

/**
 * Does the same as `collectExpectedFiles`, but reads only the given checksum lists. It is used for an image,
 * whose lists are in the same folder.
 */
export async function collectFromLists(
  source: FileSource,
  at: CleanPath,
  lists: readonly CleanPath[],
  signatures: SignaturePolicy | undefined,
): Promise<ExpectedFiles & { isSigned(list: CleanPath): boolean }> {
  const collector = new Collector(source, at, signatures)
  for (const list of lists) await collector.takeChecksumList(list)
  return collector
}

class Collector implements ExpectedFiles {
  readonly expected: ExpectedFile[] = []
  readonly findings: Finding[] = []
  readonly signatures: readonly SignatureNote[]
  /** Whether each document is signed by a given key. */
  readonly #documents = new Map<CleanPath, boolean>()
  readonly #source: FileSource
  readonly #at: CleanPath
  readonly #signed: SignedDocuments
  readonly #links: Documents['links']
  #documentsLeft: number = documentLimits.documents.entries
  #bytesLeft: number = documentLimits.documents.bytes
  #filesLeft: number = documentLimits.expectedFiles.entries

  constructor(
    source: FileSource,
    at: CleanPath,
    policy: SignaturePolicy | undefined,
    links: Documents['links'] = new Map(),
  ) {
    this.#links = links
    this.#source = source
    this.#at = at
    this.#signed = new SignedDocuments(source, at, this.findings, policy?.keyring)
    this.signatures = this.#signed.signatures
  }

  get documents(): readonly string[] {
    return [...this.#documents.keys()].map((path) => relativeTo(this.#at, path))
  }

  noteStoppedSearch(why: string): void {
    this.#warn('.', `was not searched as a whole for documents that name checksums: ${why}`)
  }

  isSigned(document: CleanPath): boolean {
    return this.#documents.get(document) ?? false
  }

  /** @param bootFiles Relative to the tree, as the descriptor names them. */
  refuseUnsigned(bootFiles: readonly string[]): void {
    const bootPaths = bootFiles.flatMap((file) => {
      try {
        return [this.#real(cleanPath(`${this.#at}/${file}`))]
      } catch (error) {
        this.findings.push(impossiblePath('the descriptor', file, error))
        return []
      }
    })
    // A document with a bad signature has its finding already.
    const reported = new Set(this.findings.flatMap((each) => (each.severity === 'error' ? [each.path] : [])))
    for (const { path, message } of findUnsigned(this.#documents, this.expected, bootPaths)) {
      const shown = relativeTo(this.#at, path)
      if (!reported.has(shown)) this.findings.push({ severity: 'error', path: shown, message })
    }
  }

  /**
   * Takes the files that a descriptor names. Descriptors come in the order of `descriptorFormats`, the best
   * first. If a file is expected already, the digest in a later descriptor is ignored, unless that descriptor
   * is signed. Then the file must have both digests.
   */
  async takeDescriptor(file: string, bytes: Uint8Array): Promise<void> {
    if (Object.keys(checksumsIn(file, bytes)).length === 0) return
    const path = cleanPath(`${this.#at}/${file}`)
    await this.#readDocument(path, async () => {
      const { signedText, isSigned } = await this.#signed.open(path, bytes)
      const alreadyExpected = new Set(isSigned ? [] : this.expected.map((each) => each.path))
      // As bytes: the readers of descriptors decode them in their own way, not always as UTF-8.
      const checksums = checksumsIn(file, signedText === undefined ? bytes : Buffer.from(signedText))
      for (const [name, digest] of Object.entries(checksums))
        if (!alreadyExpected.has(this.#real(cleanPath(`${this.#at}/${name}`))))
          this.#expect(this.#at, name, { digest, from: path, ifMissing: 'error' })
      return isSigned
    })
  }

  async takeRepository(repository: CleanPath, { packages }: CollectOptions): Promise<void> {
    const path = cleanPath(`${repository}/repodata/repomd.xml`)
    const entry = await this.#file(path)
    if (!entry) {
      const message = 'is named as a repository, but its repodata/repomd.xml is missing'
      this.findings.push({ severity: 'warning', path: relativeTo(this.#at, repository), message })
      return
    }
    await this.#readDocument(path, async () => {
      const { text, isSigned } = await this.#open(path, entry, documentLimits.repomd.bytes)
      const elsewhere = new ElsewhereCount()
      const files = parseRepomd(text).filter((file) => !elsewhere.add(file))
      this.#noteElsewhere(path, elsewhere)
      await forEachInTurns(files, (file) =>
        this.#expect(repository, file.href, { ...file, from: path, ifMissing: 'error' }),
      )
      const primary = files.find((file) => file.type === 'primary')
      if (packages && primary) await this.#takePrimary(repository, primary.href)
      if (!primary) this.#warn(relativeTo(this.#at, path), 'does not name a list of packages (type primary)')
      return isSigned
    })
  }

  async #takePrimary(repository: CleanPath, href: string): Promise<void> {
    const path = cleanPath(`${repository}/${href}`)
    const elsewhere = new ElsewhereCount()
    const entry = await this.#file(path)
    // repomd.xml names this file, so it is expected already. If it is missing, that becomes a finding later.
    if (!entry) return
    await this.#readDocument(path, async (by) => {
      this.#countBytes(entry)
      for await (const file of readPackages(unpacked(copied(readPieces(entry)), by)))
        if (!elsewhere.add(file))
          this.#expect(repository, file.href, { ...file, from: path, ifMissing: 'error' })
      this.#noteElsewhere(path, elsewhere)
      return false
    })
  }

  async takeChecksumList(path: CleanPath): Promise<void> {
    const entry = await this.#file(path)
    if (!entry) return
    await this.#readDocument(path, async (by) => {
      const { text, isSigned } = await this.#open(path, entry, documentLimits.checksumList.bytes)
      const { entries, unreadableLines } = parseChecksumList(text)
      const folder = parentPath(path)
      if (unreadableLines > 0) {
        const lines = unreadableLines === 1 ? 'a line' : `${unreadableLines} lines`
        this.#warn(by, `has ${lines} without the checksum of a file`)
      }
      await forEachInTurns(entries, (listed) => {
        // `sha256sum * > SHA256SUMS` lists the list itself, while it is empty.
        if (listed.path === baseName(path)) return
        this.#expect(folder, listed.path, { digest: listed.digest, from: path, ifMissing: 'warning' })
      })
      return isSigned
    })
  }

  async takeRelease(path: CleanPath, { packages }: CollectOptions): Promise<void> {
    const entry = await this.#file(path)
    if (!entry) return
    const suite = parentPath(path)
    await this.#readDocument(path, async () => {
      const { text, isSigned } = await this.#open(path, entry, documentLimits.debianRelease.bytes)
      const files = parseRelease(text)
      await forEachInTurns(files, (file) =>
        this.#expect(suite, file.path, { ...file, from: path, ifMissing: 'nothing' }),
      )
      if (packages) await this.#takePackagesIndices(suite, files)
      return isSigned
    })
  }

  /**
   * Reads each index (`main/binary-amd64/Packages`) once: the first of its forms, plain or packed, that
   * exists.
   */
  async #takePackagesIndices(suite: CleanPath, files: readonly IndexedFile[]): Promise<void> {
    const archive = parentPath(parentPath(suite))
    const taken = new Set<string>()
    for (const file of files) {
      const [, index] = /^(.*\/binary-[^/]+\/Packages)(?:\.\w+)?$/.exec(file.path) ?? []
      if (index === undefined || taken.has(index)) continue
      const path = cleanPath(`${suite}/${file.path}`)
      const entry = await this.#file(path)
      if (!entry) continue
      taken.add(index)
      await this.#takePackagesIndex(archive, path, entry)
    }
  }

  async #takePackagesIndex(archive: CleanPath, path: CleanPath, entry: Entry): Promise<void> {
    await this.#readDocument(path, async (by) => {
      this.#countBytes(entry)
      for await (const file of readPackagesIndex(unpacked(copied(readPieces(entry)), by)))
        this.#expect(archive, file.path, { ...file, from: path, ifMissing: 'warning' })
      return false
    })
  }

  #noteElsewhere(path: CleanPath, { note }: ElsewhereCount): void {
    if (note !== undefined) this.#warn(relativeTo(this.#at, path), note)
  }

  /**
   * Adds an expected file. A name that leads out of the source is a finding: as severe as if the file were missing.
   */
  #expect(folder: CleanPath, name: string, stated: Omit<ExpectedFile, 'path' | 'by'>): void {
    const { entries } = documentLimits.expectedFiles
    if (--this.#filesLeft < 0)
      throw new Failure('too-large', `the documents of the tree name more than ${entries} files`)
    const { size, digest, from, ifMissing } = stated
    const by = relativeTo(this.#at, from)
    try {
      const path = this.#real(namedPath(folder, name))
      const file = {
        path,
        by,
        from,
        ifMissing,
        ...(size !== undefined && { size }),
        ...(digest && { digest }),
      }
      this.expected.push(file)
      if (!digest)
        this.#warn(relativeTo(this.#at, path), `is named by ${by} without a checksum of a known kind`)
    } catch (error) {
      const finding = impossiblePath(by, name, error)
      const isError = ifMissing === 'error' || failureKind(error) === 'bad-request'
      this.findings.push({ ...finding, severity: isError ? 'error' : 'warning' })
    }
  }

  /** Each file is expected under one path, and so is read once, through however many symlinks it is named. */
  #real(path: CleanPath): CleanPath {
    return withoutLinks(path, this.#links)
  }

  #warn(path: string, message: string): void {
    this.findings.push({ severity: 'warning', path, message })
  }

  /**
   * @param read Gets the document's path relative to the tree. Resolves to whether the document itself is
   *   signed; false for an index of packages, which has no signature of its own.
   */
  async #readDocument(path: CleanPath, read: (by: string) => Promise<boolean>): Promise<void> {
    const by = relativeTo(this.#at, path)
    try {
      const { entries } = documentLimits.documents
      if (--this.#documentsLeft < 0)
        throw new Failure('too-large', `the tree has more than ${entries} documents that name checksums`)
      this.#documents.set(path, await read(by))
    } catch (error) {
      this.findings.push({ severity: 'error', path: by, message: `cannot be read: ${failureMessage(error)}` })
    }
  }

  async #file(path: CleanPath): Promise<Entry | undefined> {
    const entry = await this.#source.stat(path, internalRequester)
    return entry?.kind === 'file' ? entry : undefined
  }

  /** Reads a document once: the bytes that are parsed are those whose signature was checked. */
  async #open(path: CleanPath, entry: Entry, maxBytes: number): Promise<OpenedDocument> {
    if (entry.size > maxBytes)
      throw new Failure('too-large', `has ${entry.size} bytes; at most ${maxBytes} are read`)
    this.#countBytes(entry)
    return this.#signed.open(path, entry.content ?? (await readWhole(entry, maxBytes)))
  }

  #countBytes({ size }: Entry): void {
    this.#bytesLeft -= size
    const { bytes } = documentLimits.documents
    if (this.#bytesLeft < 0)
      throw new Failure('too-large', `the documents of the tree have more than ${bytes} bytes`)
  }
}

function checksumsIn(file: string, bytes: Uint8Array): Description['checksums'] {
  return readDescriptors(new Map([[file, bytes]]))?.checksums ?? {}
}

/**
 * Copies each piece: `readPieces` uses its buffers again, and a pipe to a program keeps pieces for a while.
 */
async function* copied(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield Uint8Array.prototype.slice.call(piece)
}
