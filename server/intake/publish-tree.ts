import { gatherEvidence } from '../catalog/scan/gather.ts'
import type { OnBootTest } from '../core/boottest/progress.ts'
import { type BootTestResult, bootTestFaults, resultText } from '../core/boottest/result.ts'
import { defined } from '../core/defined.ts'
import type { TreeEvidence } from '../core/tree/conclude.ts'
import type { Description } from '../core/tree/tree.ts'
import { diskSource } from '../files/disk.ts'
import { isoSource } from '../files/iso/source.ts'
import { cleanPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'
import { removeLinksOut } from '../host/links.ts'
import type { Finding, SignatureNote } from '../verify/expected-file.ts'
import { type ImageListing, verifyImage } from '../verify/verify-image.ts'
import { type VerifyReport, type VerifyTreeOptions, verifyTree } from '../verify/verify-tree.ts'
import type { Acceptance, VersionRecord } from '../versions/record.ts'
import type { Staged, VersionStore } from '../versions/version-store.ts'

/** A folder or image to verify and to publish as a version. */
export interface PublishRequest extends Omit<Staged, 'accepted' | 'signed' | 'sha256' | 'bootTest'> {
  /**
   * Paths of the trees in it, relative to `path`; `.` is `path` itself. A mirror of EL 9 has two:
   * `BaseOS/x86_64/os` and `AppStream/x86_64/os`.
   */
  readonly trees: readonly string[]
  /** For an image: where its checksum lists are, and its name in them. Default: beside it, its own name. */
  readonly image?: ImageListing
  /** The evidence of each tree, by its path in `trees`. Missing evidence is gathered. */
  readonly evidence?: ReadonlyMap<string, TreeEvidence>
  /**
   * True when nobody asked for the publication: the upload was only quiet for a while. A folder is then
   * refused unless a document lists its files.
   */
  readonly unattended?: boolean
  /** Publishes in spite of faults, and records who wanted that and why. */
  readonly accept?: { readonly by: string; readonly why: string }
  /** Boots machines from it before it is published. */
  readonly bootGate?: BootGate
}

/** The boot test of versions, see boottest/gate.ts. */
export interface BootGate {
  /** Whether a version is refused that cannot be tested here. */
  readonly required: boolean
  /** What machines showed; empty for a version from which no machine boots. */
  test(
    version: Pick<PublishRequest, 'id' | 'path' | 'kind' | 'trees'>,
    watch?: { readonly signal?: AbortSignal | undefined; readonly onProgress?: OnBootTest | undefined },
  ): Promise<readonly BootTestResult[]>
}

export interface PublishTreeOptions extends VerifyTreeOptions {
  /** Called when the boot test has got further. */
  readonly onBootTest?: OnBootTest
}

/** The result of verification, for all trees of a request. */
interface Verdict {
  /** The description of the first tree that was recognised. */
  readonly description: Description | undefined
  readonly findings: readonly Finding[]
  readonly signatures: readonly SignatureNote[]
  /** SHA-256 of the boot images, by path relative to the path of the request. */
  readonly sha256: Readonly<Record<string, string>>
}

export type PublishResult = Verdict &
  ({ readonly outcome: 'published'; readonly record: VersionRecord } | { readonly outcome: 'refused' })

/** The report on one tree of a request. */
interface TreeReport {
  /** Relative to the path of the request. */
  readonly at: string
  readonly report: VerifyReport
}

/**
 * Verifies a request down to its packages, then publishes it with one switch; or refuses it with all
 * findings.
 */
export async function publishTree(
  store: VersionStore,
  request: PublishRequest,
  { onBootTest, ...options }: Partial<PublishTreeOptions> = {},
): Promise<PublishResult> {
  const { id, kind, path, source, by, upstream, replace, accept } = request
  await store.checkIdIsFree(id, replace)
  const leftOut = kind === 'folder' ? await leaveOutLinks(path) : []
  const verified = await verifyRequest(request, options)
  const whole = { ...verified, findings: [...leftOut, ...verified.findings] }
  if (hasErrors(whole) && !accept) return { outcome: 'refused', ...whole }
  const { bootTest, findings: bootFindings } = await testBoot(request, {
    signal: options.signal,
    onProgress: onBootTest,
  })
  const verdict = { ...whole, findings: [...whole.findings, ...bootFindings] }
  if (hasErrors(verdict) && !accept) return { outcome: 'refused', ...verdict }
  const errors = verdict.findings.filter((finding) => finding.severity === 'error')
  const accepted = accept && errors.length > 0 ? acceptanceOf(accept, errors) : undefined
  const goodSignatures = verdict.signatures.flatMap(({ outcome, document, key }) =>
    outcome === 'good' && key !== undefined ? [{ document, key }] : [],
  )
  const signed = goodSignatures.length > 0 ? goodSignatures : undefined
  const { sha256 } = verdict
  const record = await store.publish({
    id,
    kind,
    path,
    source,
    ...defined({ by, upstream, replace, accepted, signed, sha256, bootTest }),
  })
  return { outcome: 'published', record, ...verdict }
}

function hasErrors({ findings }: Pick<Verdict, 'findings'>): boolean {
  return findings.some(({ severity }) => severity === 'error')
}

/** In place of a path, in findings of the boot test. */
export const bootTestPlace = 'the boot test'

/**
 * Boots machines from a version that is whole. Who publishes it in spite of its faults has seen them, or needs it now: then
 * nothing is booted, and that stands in the record with the reason.
 */
async function testBoot(
  { bootGate, accept, ...version }: PublishRequest,
  watch: Parameters<BootGate['test']>[1],
): Promise<{
  readonly bootTest?: readonly BootTestResult[]
  readonly findings: readonly Finding[]
}> {
  if (!bootGate) return { findings: [] }
  const finding = (severity: Finding['severity'], message: string): Finding => ({
    severity,
    path: bootTestPlace,
    message,
  })
  if (accept) return { findings: [finding('error', 'was not run')] }
  const { id, path, kind, trees } = version
  const results = await bootGate.test({ id, path, kind, trees }, watch)
  const faults = bootTestFaults(results, bootGate.required)
  const notTested = results.filter(({ outcome }) => outcome === 'impossible').map(resultText)
  return {
    bootTest: results,
    findings: [
      ...faults.map((fault) => finding('error', fault)),
      ...notTested.filter((text) => !faults.includes(text)).map((text) => finding('warning', text)),
    ],
  }
}

/**
 * Removes the symlinks that lead out of a folder. The folder becomes a version, so what lay beside it is not
 * beside it any more: the version of another tree may be, or an upload that nobody shall see.
 */
async function leaveOutLinks(folder: string): Promise<Finding[]> {
  const removed = await removeLinksOut(folder)
  return removed.map(({ path, target }) => ({
    severity: 'warning',
    path,
    message: `is left out: its link to ${target} leads out of the tree`,
  }))
}

/** The most faults in a record, which people read. */
const maxRecordedFaults = 100
/** The most paths in a record. The files at these paths are not reported as damaged again. */
const maxRecordedPaths = 10_000

function acceptanceOf(accept: NonNullable<PublishRequest['accept']>, errors: readonly Finding[]): Acceptance {
  return {
    ...accept,
    faults: errors.slice(0, maxRecordedFaults).map(findingText),
    paths: [...new Set(errors.map((finding) => finding.path))].slice(0, maxRecordedPaths),
  }
}

async function verifyRequest(request: PublishRequest, options: Partial<VerifyTreeOptions>): Promise<Verdict> {
  const reports = await verifyAll(request, { packages: true, ...options })
  return {
    description: reports.find(({ report }) => report.description)?.report.description,
    findings: [
      ...(await cutOffImage(request)),
      ...unlistedFolder(request, reports),
      ...reports.flatMap(({ at, report }) => findingsOf(at, report)),
    ],
    signatures: signaturesOf(reports),
    sha256: Object.fromEntries(reports.flatMap(sha256Of)),
  }
}

/** With paths relative to the request's path, which may hold several trees. */
function sha256Of({ at, report }: TreeReport): [string, string][] {
  return Object.entries(report.sha256).map(([path, hex]) => [pathInRequest(at, path), hex])
}

/** Each signature once: trees beside each other share repositories, so two reports may have the same note. */
function signaturesOf(reports: readonly TreeReport[]): SignatureNote[] {
  const found = new Map<string, SignatureNote>()
  for (const { at, report } of reports)
    for (const each of report.signatures) {
      const signature = pathInRequest(at, each.signature)
      const document = pathInRequest(at, each.document)
      found.set(`${document}\0${signature}`, { ...each, document, signature })
    }
  return [...found.values()]
}

async function verifyAll(
  request: PublishRequest,
  options: VerifyTreeOptions,
): Promise<readonly TreeReport[]> {
  const { path, kind, trees, image } = request
  if (kind === 'iso') {
    const evidence = await evidenceOf(request, await isoSource(path), '.')
    return [{ at: '.', report: await verifyImage({ file: path, evidence, listing: image }, options) }]
  }
  const source = diskSource(path, { showLinks: true })
  const reports: TreeReport[] = []
  for (const at of trees) {
    const evidence = await evidenceOf(request, source, at)
    reports.push({ at, report: await verifyTree({ source, at: cleanPath(`/${at}`), evidence }, options) })
  }
  return reports
}

/**
 * The id of the tree is part of the evidence: distribution and version are read from it where nothing else
 * says them.
 */
async function evidenceOf(
  { id, evidence }: PublishRequest,
  source: FileSource,
  at: string,
): Promise<TreeEvidence | undefined> {
  const given = evidence?.get(at)
  return given ? { ...given, name: id } : gatherEvidence(source, cleanPath(`/${at}`), id)
}

/** An error for an unattended folder whose files no document lists: it may be only half of the tree. */
function unlistedFolder(
  { kind, unattended }: PublishRequest,
  reports: readonly TreeReport[],
): readonly Finding[] {
  if (kind !== 'folder' || !unattended || reports.some(({ report }) => report.files > 0)) return []
  return [
    {
      severity: 'error',
      path: '.',
      message:
        'has no checksum list and no repository that names its files, so treeboot cannot tell whether it is complete; publish it yourself when it is',
    },
  ]
}

/**
 * An error for an image that is shorter than its own header says. Without checksums inside, only this shows
 * that its end is missing.
 */
async function cutOffImage({ path, kind }: PublishRequest): Promise<Finding[]> {
  if (kind !== 'iso') return []
  const { missingBytes } = await isoSource(path)
  if (missingBytes === 0) return []
  return [
    {
      severity: 'error',
      path: 'the image',
      message: `is cut off: its last ${missingBytes} bytes are missing`,
    },
  ]
}

/**
 * The findings of one tree. Their paths become relative to the request's path, which may hold several trees.
 */
function findingsOf(at: string, { description, findings }: VerifyReport): Finding[] {
  const found = findings.map((each) => ({
    ...each,
    path: pathInRequest(at, each.path),
    // The signature file that may be damaged instead.
    ...defined({ with: each.with === undefined ? undefined : pathInRequest(at, each.with) }),
  }))
  if (description) return found
  const message =
    'is not an installation tree: it has no descriptor (.treeinfo, .disk/info, content, ...) and no kernel with its initrd at a known path'
  return [{ severity: 'error', path: at, message }, ...found]
}

function pathInRequest(at: string, path: string): string {
  if (at === '.') return path
  return cleanPath(`/${at}/${path}`).slice(1)
}

/** A finding as one line of text. */
export function findingText({ path, message }: Pick<Finding, 'path' | 'message'>): string {
  return `${path} ${message}`
}

/** The errors among the findings, one line each. */
export function errorTexts(findings: readonly Finding[]): string[] {
  return findings.filter(({ severity }) => severity === 'error').map(findingText)
}
