import { basename, dirname } from 'node:path'
import { diskSource } from '../../files/disk.ts'
import { isoSource } from '../../files/iso/source.ts'
import { type CleanPath, joinPath, rootPath } from '../../files/path.ts'
import { readWhole } from '../../files/read-whole.ts'
import type { FileSource } from '../../files/source.ts'
import { Hasher } from '../digests/hasher.ts'
import type { Claims, Finding } from '../expected-file.ts'
import { collectListClaims } from '../expected-files.ts'
import { isStrong } from '../unsigned.ts'
import { type AuditOptions, type AuditReport, auditTree, checkFile } from '../verify-tree.ts'
import { isListAmong, relativeTo, self } from '../walk.ts'
import { parseChecksumList } from './checksum-list.ts'

/** Where the lists that name an image lie, and what they call it: where it came from, it may be called otherwise here. */
export interface ImagePlace {
  /** Real path. */
  readonly folder: string
  readonly name: string
}

interface ImageAudit extends Omit<Claims, 'claims'> {
  /** Bytes that were read of the image; 0 when no list names it. */
  readonly bytes: number
  /** Whether a list that is signed by a given key names it with a strong digest: then all that is in it is signed. */
  readonly isSigned: boolean
}

/** Lists of one folder of images have some KiB. */
const maxListBytes = 4 * 1024 * 1024

/**
 * Audits an image: as a whole by the lists of checksums that lie beside it, then the tree in it. Beside it is where
 * distributions sign: Fedora's `*-CHECKSUM`, Debian's `SHA256SUMS` with its `.sign`, Rocky's `CHECKSUM` with its `.sig`.
 * When such a list holds, nothing in the image needs a signature of its own.
 */
export async function auditImageAndTree(
  image: string,
  name: string,
  options: AuditOptions,
  place: ImagePlace = { folder: dirname(image), name: basename(image) },
): Promise<AuditReport> {
  const whole = await auditImage(image, place, options)
  const { signatures } = options
  const required = signatures?.required === true && !whole.isSigned
  const inside = await auditTree(await isoSource(image), rootPath, name, {
    ...options,
    ...(signatures && { signatures: { ...signatures, required } }),
  })
  return {
    description: inside.description,
    files: inside.files + (whole.bytes > 0 ? 1 : 0),
    bytes: inside.bytes + whole.bytes,
    documents: [...whole.documents, ...inside.documents],
    signatures: [...whole.signatures, ...inside.signatures],
    findings: [...whole.findings, ...inside.findings],
  }
}

/** Lists of other images are passed over, whatever is wrong with them. */
async function auditImage(
  image: string,
  { folder, name }: ImagePlace,
  { signatures, signal, onProgress }: AuditOptions,
): Promise<ImageAudit> {
  const source = diskSource(folder)
  const target = joinPath(rootPath, name)
  const lists = await listsThatName(source, target)
  const collected = await collectListClaims(source, rootPath, lists, signatures)
  const findings: Finding[] = [...collected.findings]
  const claims = collected.claims.filter(({ path }) => path === target)
  const entry = await diskSource(dirname(image)).stat(joinPath(rootPath, basename(image)), self)
  const hasher = new Hasher({ ...(signal && { signal }), ...(onProgress && { onProgress }) })
  if (entry && claims.length > 0) {
    try {
      findings.push(...(await checkFile(entry, relativeTo(rootPath, target), claims, hasher)))
    } finally {
      await hasher.stop()
    }
  }
  const bytes = hasher.totalBytes
  signal?.throwIfAborted()
  const isSigned = claims.some(({ from, digest }) => isStrong(digest) && collected.isSigned(from))
  return { findings, signatures: collected.signatures, documents: collected.documents, bytes, isSigned }
}

async function listsThatName(source: FileSource, target: CleanPath): Promise<readonly CleanPath[]> {
  const entries = (await source.list(rootPath, self)) ?? []
  const names = new Set(entries.map((entry) => entry.name))
  const found: CleanPath[] = []
  for (const entry of entries) {
    if (entry.kind !== 'file' || entry.size > maxListBytes || !isListAmong(entry.name, names)) continue
    const text = new TextDecoder().decode(await readWhole(entry).catch(() => new Uint8Array()))
    const { entries: listed } = parseChecksumList(text)
    if (listed.some(({ path }) => isAt(path, target))) found.push(joinPath(rootPath, entry.name))
  }
  return found
}

function isAt(name: string, target: CleanPath): boolean {
  try {
    return joinPath(rootPath, name) === target
  } catch {
    return false
  }
}
