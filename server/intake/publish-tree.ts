import { gatherEvidence } from '../catalog/scan/gather.ts'
import type { TreeEvidence } from '../core/tree/conclude.ts'
import type { Description } from '../core/tree/tree.ts'
import { diskSource } from '../files/disk.ts'
import { isoSource } from '../files/iso/source.ts'
import { cleanPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'
import type { Finding, SignatureNote } from '../verify/expected-file.ts'
import { type ImageListing, verifyImage } from '../verify/verify-image.ts'
import { type VerifyReport, type VerifyTreeOptions, verifyTree } from '../verify/verify-tree.ts'
import type { VersionRecord } from '../versions/record.ts'
import type { Staged, VersionStore } from '../versions/version-store.ts'

/** Something that may become a version, if it is as whole as its documents say. */
export interface PublishRequest extends Omit<Staged, 'accepted' | 'signed'> {
  /** Its trees, relative to `path`; `.` is all of it. A mirror of EL 9 has two: `BaseOS/x86_64/os` and `AppStream/x86_64/os`. */
  readonly trees: readonly string[]
  /** Of an image: where lists of checksums may name it, when not beside it and by its own name. */
  readonly image?: ImageListing
  /** What was found of each tree, by the same names. It is gathered where it is missing. */
  readonly evidence?: ReadonlyMap<string, TreeEvidence>
  /** Nobody has said that all of it is there: only what a document vouches for may go by itself. */
  readonly unattended?: boolean
  /** Publish it whatever is wrong, and remember who wanted that and why. */
  readonly accept?: { readonly by: string; readonly why: string }
}

export type PublishResult =
  | {
      readonly outcome: 'published'
      readonly record: VersionRecord
      readonly description: Description | undefined
      readonly findings: readonly Finding[]
      readonly signatures: readonly SignatureNote[]
    }
  | {
      readonly outcome: 'refused'
      readonly description: Description | undefined
      readonly findings: readonly Finding[]
      readonly signatures: readonly SignatureNote[]
    }

/** Verifies a request down to its packages, then publishes it with one switch; or says everything against it. */
export async function publishTree(
  store: VersionStore,
  request: PublishRequest,
  options: Partial<VerifyTreeOptions> = {},
): Promise<PublishResult> {
  const { trees, accept, image, evidence: _evidence, unattended: _, ...staged } = request
  await store.checkPlace(request.id, request.replace)
  const { description, findings, signatures } = await verifyRequest(request, options)
  const errors = findings.filter((finding) => finding.severity === 'error')
  if (errors.length > 0 && !accept) return { outcome: 'refused', description, findings, signatures }
  const accepted = accept && {
    ...accept,
    faults: errors.slice(0, 100).map(findingText),
    paths: [...new Set(errors.map((finding) => finding.path))].slice(0, 10_000),
  }
  const signed = signatures.flatMap(({ outcome, document, key }) =>
    outcome === 'good' && key !== undefined ? [{ document, key }] : [],
  )
  const record = await store.publish({
    ...staged,
    ...(accepted && errors.length > 0 && { accepted }),
    ...(signed.length > 0 && { signed }),
  })
  return { outcome: 'published', record, description, findings, signatures }
}

async function verifyRequest(request: PublishRequest, options: Partial<VerifyTreeOptions>) {
  const reports = await verifyAll(request, { packages: true, ...options })
  return {
    description: reports.find(({ report }) => report.description)?.report.description,
    findings: [
      ...(await cutOffImage(request)),
      ...unvouched(request, reports),
      ...reports.flatMap(({ at, report }) => findingsOf(at, report)),
    ],
    signatures: signaturesOf(reports),
  }
}

/** Trees that lie side by side share repositories: each is told once. */
function signaturesOf(reports: readonly { at: string; report: VerifyReport }[]): SignatureNote[] {
  const found = new Map<string, SignatureNote>()
  for (const { at, report } of reports)
    for (const each of report.signatures) {
      const signature = under(at, each.signature)
      const document = under(at, each.document)
      found.set(`${document}\0${signature}`, { ...each, document, signature })
    }
  return [...found.values()]
}

async function verifyAll(
  request: PublishRequest,
  options: VerifyTreeOptions,
): Promise<readonly { at: string; report: VerifyReport }[]> {
  const { path, kind, trees, image } = request
  if (kind === 'iso') {
    const evidence = await evidenceOf(request, await isoSource(path), '.')
    return [{ at: '.', report: await verifyImage({ file: path, evidence, listing: image }, options) }]
  }
  const source = diskSource(path)
  const reports: { at: string; report: VerifyReport }[] = []
  for (const at of trees) {
    const evidence = await evidenceOf(request, source, at)
    reports.push({ at, report: await verifyTree({ source, at: cleanPath(`/${at}`), evidence }, options) })
  }
  return reports
}

/** The id of the tree names its distribution and version where nothing else does. */
async function evidenceOf(
  { id, evidence }: PublishRequest,
  source: FileSource,
  at: string,
): Promise<TreeEvidence | undefined> {
  const known = evidence?.get(at)
  return known ? { ...known, name: id } : gatherEvidence(source, cleanPath(`/${at}`), id)
}

/** A folder that no document speaks of looks the same with half of its files. */
function unvouched(
  { kind, unattended }: PublishRequest,
  reports: readonly { report: VerifyReport }[],
): readonly Finding[] {
  if (kind !== 'folder' || !unattended || reports.some(({ report }) => report.files > 0)) return []
  return [
    {
      severity: 'error',
      path: '.',
      message:
        'no list of checksums and no repository says what belongs to it, so nobody can tell whether all of it has come; publish it yourself when it has',
    },
  ]
}

/** An image says itself how long it is; one without checksums inside shows only by this that its end is missing. */
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

/** Paths as seen from the whole, where there is more than one tree in it. */
function findingsOf(at: string, { description, findings }: VerifyReport): Finding[] {
  const found = findings.map((each) => ({
    ...each,
    path: under(at, each.path),
    ...(each.with !== undefined && { with: under(at, each.with) }),
  }))
  if (description) return found
  const message =
    'is no installation tree: it has no descriptor (.treeinfo, .disk/info, content, ...) and no kernel with its initrd in a place that we know'
  return [{ severity: 'error', path: at, message }, ...found]
}

function under(at: string, path: string): string {
  if (at === '.') return path
  return cleanPath(`/${at}/${path}`).slice(1)
}

/** One line for people. */
export function findingText({ path, message }: Finding): string {
  return `${path} ${message}`
}

/** One line for each error. */
export function errorTexts(findings: readonly Finding[]): string[] {
  return findings.filter(({ severity }) => severity === 'error').map(findingText)
}
