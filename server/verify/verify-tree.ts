import { defined } from '../core/defined.ts'
import { Failure, failureMessage } from '../core/failure.ts'
import { groupBy } from '../core/group-by.ts'
import { internalRequester } from '../core/net/requester.ts'
import { bootFiles, isPatchedByMastering } from '../core/tree/boot-files.ts'
import { concludeTree, imagesOf } from '../core/tree/conclude.ts'
import { foreignKernels } from '../core/tree/kernel-arch.ts'
import type { Description, DigestAlgorithm } from '../core/tree/tree.ts'
import { type CleanPath, cleanPath } from '../files/path.ts'
import type { Entry } from '../files/source.ts'
import { forEachAtOnce } from '../host/pool.ts'
import { blamed, type Difference } from './blame.ts'
import type { Digests } from './digests/digests.ts'
import { Hasher } from './digests/hasher.ts'
import { EntryLookup } from './entry-lookup.ts'
import type { ExpectedFile, Finding, SignatureNote, TreeToVerify } from './expected-file.ts'
import { type CollectOptions, collectExpectedFiles } from './expected-files.ts'
import { impossiblePath } from './named-path.ts'
import { relativeTo } from './relative-path.ts'

/** How a tree is verified: what is collected, who is told of the progress, and how it is stopped. */
export interface VerifyTreeOptions extends CollectOptions {
  /**
   * Called as bytes are read; `totalBytes` is everything that will be read, as far as it is known by then.
   */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  readonly signal?: AbortSignal
  /** Only part of the tree is meant to be here: a missing file is a warning, unless a boot needs it. */
  readonly partial?: boolean
}

/** The result of checking every file that the documents of a tree name. */
export interface VerifyReport {
  /** Undefined: no installation tree was recognised. */
  readonly description: Description | undefined
  /** Files whose size or digest was checked, and their bytes. */
  readonly files: number
  readonly bytes: number
  /** The documents that were read, relative to the tree. */
  readonly documents: readonly string[]
  readonly signatures: readonly SignatureNote[]
  /** SHA-256 of the kernels, initrds and second stages that are there, by path relative to the tree; hex. */
  readonly sha256: Readonly<Record<string, string>>
  /** Errors first, then by path. Of an image, those of the whole file come before those of the tree inside. */
  readonly findings: readonly Finding[]
}

/** What was found of one file that is there. */
interface Comparison {
  readonly fault?: FileFault
  /** Of an image that could be read; hex. */
  readonly sha256?: string
}

interface FileFault {
  readonly finding: Finding
  /** When it was read, and only its size or digest is not the one that a document names. */
  readonly differs?: Omit<Difference, 'finding'>
}

/**
 * How many files are looked up or hashed at once. More would occupy the thread pool, which the services need
 * too. Looking up runs beside hashing, since with 60,000 files each of the two takes seconds.
 */
const filesAtOnce = 12

export function hasErrors(report: VerifyReport): boolean {
  return report.findings.some((finding) => finding.severity === 'error')
}

/**
 * Checks a tree from its descriptors down to its packages: everything that a boot needs is there, and every
 * file has the size and the digest that a document names. Reads each file once, however many documents name
 * it.
 */
export async function verifyTree(tree: TreeToVerify, options: VerifyTreeOptions): Promise<VerifyReport> {
  const { source, at, evidence } = tree
  const description = evidence && concludeTree(evidence)
  const collected = await collectExpectedFiles(tree, description, options)
  const findings: Finding[] = [...collected.findings]
  if (description) {
    findings.push(...(await missingBootFiles(tree, description)))
    for (const { path, message } of foreignKernels(description, evidence.kernels ?? new Map()))
      findings.push({ severity: 'error', path, message })
  }
  const images = new Set(description ? imagesOf(description).flatMap((path) => pathBelow(at, path)) : [])
  const expectedFiles = new Map(groupBy(collected.expected, ({ path }) => [path]))
  for (const path of images) if (!expectedFiles.has(path)) expectedFiles.set(path, [])
  const lookup = new EntryLookup(source, expectedFiles.keys())
  const hasher = new Hasher(options)
  // The total of the progress, as far as documents give sizes. It is corrected as each file is looked up.
  for (const expected of expectedFiles.values()) hasher.expect(expectedBytes(expected))
  let files = 0
  const sha256: Record<string, string> = {}
  const differences: Difference[] = []
  const read = new Set<CleanPath>()
  const takeFault = (fault: FileFault | undefined): void => {
    if (fault?.differs)
      differences.push({ finding: withMastering(fault.finding, description), ...fault.differs })
    else if (fault) findings.push(fault.finding)
  }
  const verifyOne = async ([path, expected]: [CleanPath, readonly ExpectedFile[]]): Promise<void> => {
    const name = relativeTo(at, path)
    try {
      const entry = await lookup.entry(path)
      if (entry?.kind === 'file') {
        if (expected.length > 0) files++
        const compared = await compareFile({ entry, path: name, expected, isImage: images.has(path) }, hasher)
        if (compared.sha256 !== undefined) sha256[name] = compared.sha256
        read.add(path)
        takeFault(compared.fault)
        return
      }
      findings.push(...missingFile(name, expected, options.partial ?? false))
    } catch (error) {
      findings.push(unreadable(name, error))
    }
    // Nothing of this file will be read.
    hasher.expect(-expectedBytes(expected))
  }
  try {
    await forEachAtOnce(expectedFiles, filesAtOnce, verifyOne, options.signal)
  } finally {
    await hasher.stop()
  }
  findings.push(...blamed({ expected: collected.expected, differences, read }))
  const { documents, signatures } = collected
  const bytes = hasher.totalBytes
  return { description, files, bytes, documents, signatures, sha256, findings: sorted(findings) }
}

/** None for a name that cannot be a path: `missingBootFiles` reports it. */
function pathBelow(at: CleanPath, path: string): CleanPath[] {
  try {
    return [cleanPath(`${at}/${path}`)]
  } catch {
    return []
  }
}

async function missingBootFiles(tree: TreeToVerify, description: Description): Promise<Finding[]> {
  // A boot needs the optional ones, too, but not every boot: see `BootFiles`.
  const { required, optional } = bootFiles(description)
  const findings: Finding[] = []
  for (const [paths, severity] of [
    [required, 'error'],
    [optional, 'warning'],
  ] as const) {
    for (const path of paths) {
      const finding = await missingBootFile(tree, path, severity)
      if (finding) findings.push(finding)
    }
  }
  return findings
}

async function missingBootFile(
  { source, at }: TreeToVerify,
  path: string,
  severity: Finding['severity'],
): Promise<Finding | undefined> {
  let sourcePath: CleanPath
  try {
    sourcePath = cleanPath(`${at}/${path}`)
  } catch (error) {
    return { ...impossiblePath('the descriptor', path, error), severity }
  }
  try {
    const entry = await source.stat(sourcePath, internalRequester)
    if (entry?.kind === 'file' && entry.size > 0) return undefined
    return { severity, path, message: `is ${entry ? 'empty' : 'missing'}, and a boot needs it` }
  } catch (error) {
    return unreadable(path, error)
  }
}

/**
 * The finding for a file that cannot be read. A `Failure` means damage inside an image, and becomes a
 * finding. Any other error comes from the disk itself and is thrown, because then nothing more can be
 * checked.
 */
function unreadable(path: string, error: unknown): Finding {
  if (!(error instanceof Failure)) throw error
  return { severity: 'error', path, message: `cannot be read: ${error.message}` }
}

/** How many bytes of a file must be read, according to the documents; 0 when they lack a digest or a size. */
function expectedBytes(expected: readonly ExpectedFile[]): number {
  if (!expected.some(({ digest }) => digest)) return 0
  return expected.find(({ size }) => size !== undefined)?.size ?? 0
}

/** The finding for a missing file: that of the strictest document that names it. */
function missingFile(path: string, expected: readonly ExpectedFile[], partial: boolean): Finding[] {
  const required = expected.find(({ ifMissing }) => ifMissing === 'error')
  const strictest = required ?? expected.find(({ ifMissing }) => ifMissing === 'warning')
  if (!strictest) return []
  const severity = required && !partial ? 'error' : 'warning'
  return [{ severity, path, message: `is missing (named by ${strictest.by})` }]
}

/** A file that is there, and what the documents say of it. */
interface FileToCheck {
  readonly entry: Entry
  /** As the finding shows it. */
  readonly path: string
  /** The hasher expects already what `expectedBytes` says of these. */
  readonly expected: readonly ExpectedFile[]
  /** Whether a boot loads it, so that its SHA-256 is wanted even if no document names one. */
  readonly isImage?: boolean
}

/** Compares the size and the digests of one file with those in all documents that name it. */
export async function checkFile(file: FileToCheck, hasher: Hasher): Promise<Finding[]> {
  const { fault } = await compareFile(file, hasher)
  return fault ? [fault.finding] : []
}

async function compareFile(
  { entry, path, expected, isImage = false }: FileToCheck,
  hasher: Hasher,
): Promise<Comparison> {
  const error = (message: string, differs?: FileFault['differs'], sha256?: string): Comparison => ({
    fault: { finding: { severity: 'error', path, message }, ...defined({ differs }) },
    ...defined({ sha256 }),
  })
  const named = expected.flatMap(({ digest }) => (digest ? [digest.algorithm] : []))
  const algorithms = [...new Set<DigestAlgorithm>(isImage ? [...named, 'sha256'] : named)]
  // From now on the total of the progress contains the real size.
  hasher.expect((algorithms.length > 0 ? entry.size : 0) - expectedBytes(expected))
  const wrongSize = expected.find(({ size }) => size !== undefined && size !== entry.size)
  if (wrongSize) {
    hasher.skip(algorithms.length > 0 ? entry.size : 0)
    return error(`has ${entry.size} bytes; ${wrongSize.by} says ${wrongSize.size}`, {
      stated: wrongSize,
      right: [],
    })
  }
  if (algorithms.length === 0) return {}
  let found: Digests
  try {
    found = await hasher.digests(entry, algorithms)
  } catch (cause) {
    hasher.signal?.throwIfAborted()
    return error(`cannot be read: ${failureMessage(cause)}`)
  }
  const sha256 = isImage ? found.sha256 : undefined
  const isRight = ({ digest }: ExpectedFile) => digest && found[digest.algorithm] === digest.hex.toLowerCase()
  const stated = expected.find((each) => each.digest && !isRight(each))
  if (!stated?.digest) return defined({ sha256 })
  const { algorithm, hex } = stated.digest
  const message = `is damaged: ${algorithm} is ${found[algorithm]}; ${stated.by} says ${hex}`
  const right = expected.filter((each) => each.from !== stated.from && isRight(each)).map(({ by }) => by)
  return error(message, { stated, right }, sha256)
}

/** A difference in a file that mastering patches is no fault: see `isPatchedByMastering`. */
function withMastering(finding: Finding, description: Description | undefined): Finding {
  if (!isPatchedByMastering(finding.path, description)) return finding
  const message = `${finding.message}; the program that wrote the disc may have patched it`
  return { ...finding, severity: 'warning', message }
}

function sorted(findings: readonly Finding[]): Finding[] {
  const rank = (finding: Finding) => (finding.severity === 'error' ? 0 : 1)
  const unique = new Map(findings.map((finding) => [`${finding.path}\0${finding.message}`, finding]))
  return [...unique.values()].sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1))
}
