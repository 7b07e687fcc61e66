import { basename, dirname } from 'node:path'
import { defined } from '../core/defined.ts'
import { documentLimits } from '../core/limits/documents.ts'
import { internalRequester } from '../core/net/requester.ts'
import type { TreeEvidence } from '../core/tree/conclude.ts'
import { diskSource } from '../files/disk.ts'
import { isoSource } from '../files/iso/source.ts'
import { type CleanPath, joinPath, rootPath } from '../files/path.ts'
import { readWhole } from '../files/read-whole.ts'
import type { Entry, FileSource } from '../files/source.ts'
import { Hasher } from './digests/hasher.ts'
import { parseChecksumList } from './documents/checksum-list.ts'
import type { ExpectedFiles, Finding } from './expected-file.ts'
import { collectFromLists } from './expected-files.ts'
import { isReadAsChecksumList } from './find-documents.ts'
import { relativeTo } from './relative-path.ts'
import { isStrong } from './unsigned.ts'
import { checkFile, type VerifyReport, type VerifyTreeOptions, verifyTree } from './verify-tree.ts'

/**
 * The folder with the checksum lists of an image, and the name of the image in them: the file may have
 * another name here.
 */
export interface ImageListing {
  /** Real path. */
  readonly folder: string
  readonly name: string
}

/** An image to be verified: the file as a whole, and the tree in it. */
export interface ImageToVerify {
  /** Real path. */
  readonly file: string
  /** What was found of the tree inside. */
  readonly evidence: TreeEvidence | undefined
  /** Default: the folder of the image, and its own name. */
  readonly listing?: ImageListing | undefined
}

interface WholeImageReport extends Omit<ExpectedFiles, 'expected'> {
  /** How many bytes of the image were read; 0 when no list names the image. */
  readonly bytes: number
  /**
   * Whether a list that is signed by a given key names the image with a strong digest. If so, everything in
   * the image counts as signed.
   */
  readonly isSigned: boolean
}

/**
 * Verifies an image as a whole by the lists of checksums beside it, then the tree in it. Distributions sign
 * those lists: Fedora's `*-CHECKSUM`, Debian's `SHA256SUMS` with its `.sign`, Rocky's `CHECKSUM` with its
 * `.sig`. When a signed list names the image, nothing in the image needs a signature of its own.
 */
export async function verifyImage(image: ImageToVerify, options: VerifyTreeOptions): Promise<VerifyReport> {
  const whole = await verifyWholeImage(image, options)
  const { signatures } = options
  const required = signatures?.required === true && !whole.isSigned
  const source = await isoSource(image.file)
  const inside = await verifyTree(
    { source, at: rootPath, evidence: image.evidence },
    { ...options, ...(signatures && { signatures: { ...signatures, required } }) },
  )
  return {
    description: inside.description,
    files: inside.files + (whole.bytes > 0 ? 1 : 0),
    bytes: inside.bytes + whole.bytes,
    documents: [...whole.documents, ...inside.documents],
    signatures: [...whole.signatures, ...inside.signatures],
    sha256: inside.sha256,
    findings: [...whole.findings, ...inside.findings],
  }
}

async function verifyWholeImage(
  { file, listing = { folder: dirname(file), name: basename(file) } }: ImageToVerify,
  { signatures, signal, onProgress }: VerifyTreeOptions,
): Promise<WholeImageReport> {
  const source = diskSource(listing.folder)
  const target = joinPath(rootPath, listing.name)
  const lists = await listsThatName(source, target)
  const collected = await collectFromLists(source, rootPath, lists, signatures)
  const findings: Finding[] = [...collected.findings]
  const expected = collected.expected.filter(({ path }) => path === target)
  const entry = await diskSource(dirname(file)).stat(joinPath(rootPath, basename(file)), internalRequester)
  const hasher = new Hasher(defined({ signal, onProgress }))
  if (entry && expected.length > 0) {
    try {
      findings.push(...(await checkFile({ entry, path: relativeTo(rootPath, target), expected }, hasher)))
    } finally {
      await hasher.stop()
    }
  }
  const bytes = hasher.totalBytes
  signal?.throwIfAborted()
  const isSigned = expected.some(({ from, digest }) => isStrong(digest) && collected.isSigned(from))
  return { findings, signatures: collected.signatures, documents: collected.documents, bytes, isSigned }
}

/**
 * The lists that name the image. Lists that name only other images are left out, whatever is wrong with them.
 */
async function listsThatName(source: FileSource, target: CleanPath): Promise<readonly CleanPath[]> {
  const { bytes, entries } = documentLimits.checksumListOfImage
  const listed = (await source.list(rootPath, internalRequester)) ?? []
  const siblings = new Set(listed.map((entry) => entry.name))
  const found: CleanPath[] = []
  for (const entry of listed) {
    if (entry.kind !== 'file' || entry.size > bytes || !isReadAsChecksumList(entry.name, siblings)) continue
    if (await namesImage(entry, target, bytes)) found.push(joinPath(rootPath, entry.name))
    if (found.length >= entries) break
  }
  return found
}

/** A list that cannot be read names nothing. */
async function namesImage(entry: Entry, target: CleanPath, maxBytes: number): Promise<boolean> {
  try {
    const text = new TextDecoder().decode(await readWhole(entry, maxBytes))
    return parseChecksumList(text).entries.some(({ path }) => isAt(path, target))
  } catch {
    return false
  }
}

function isAt(name: string, target: CleanPath): boolean {
  try {
    return joinPath(rootPath, name) === target
  } catch {
    return false
  }
}
