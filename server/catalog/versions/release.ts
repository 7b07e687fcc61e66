import type { Description } from '../../core/tree/tree.ts'
import { isoSource } from '../../files/iso/source.ts'
import { cleanPath } from '../../files/path.ts'
import { type AuditOptions, type AuditReport, auditTree } from '../audit/audit.ts'
import type { Finding } from '../audit/claim.ts'
import { openTree } from './tree-source.ts'
import type { VersionRecord } from './version-record.ts'
import type { Staged, VersionStore } from './version-store.ts'

/** Something that may become a version, if it is as whole as its documents say. */
export interface Candidate extends Omit<Staged, 'accepted'> {
  /** Its trees, relative to `path`; `.` is all of it. A mirror of EL 9 has two: `BaseOS/x86_64/os` and `AppStream/x86_64/os`. */
  readonly trees: readonly string[]
  /** Publish it whatever is wrong, and remember who wanted that and why. */
  readonly accept?: { readonly by: string; readonly why: string }
}

export type Release =
  | {
      readonly outcome: 'published'
      readonly record: VersionRecord
      readonly description: Description | undefined
      readonly findings: readonly Finding[]
    }
  | {
      readonly outcome: 'refused'
      readonly description: Description | undefined
      readonly findings: readonly Finding[]
    }

/** Verifies a candidate down to its packages, then publishes it with one switch; or says everything against it. */
export async function release(
  store: VersionStore,
  candidate: Candidate,
  options: Partial<AuditOptions> = {},
): Promise<Release> {
  const { trees, accept, ...staged } = candidate
  await store.checkPlace(candidate.id, candidate.replace)
  const reports = await auditAll(candidate, { packages: true, ...options })
  const findings = [
    ...(await cutOffImage(candidate)),
    ...reports.flatMap(({ at, report }) => findingsOf(at, report)),
  ]
  const description = reports.find(({ report }) => report.description)?.report.description
  const errors = findings.filter((finding) => finding.severity === 'error')
  if (errors.length > 0 && !accept) return { outcome: 'refused', description, findings }
  const accepted = accept && {
    ...accept,
    faults: errors.slice(0, 100).map(findingText),
    paths: [...new Set(errors.map((finding) => finding.path))].slice(0, 10_000),
  }
  const record = await store.publish({ ...staged, ...(accepted && errors.length > 0 && { accepted }) })
  return { outcome: 'published', record, description, findings }
}

async function auditAll(
  { path, kind, id, trees }: Candidate,
  options: AuditOptions,
): Promise<readonly { at: string; report: AuditReport }[]> {
  const source = await openTree(path, kind)
  const reports: { at: string; report: AuditReport }[] = []
  for (const at of trees)
    reports.push({ at, report: await auditTree(source, cleanPath(`/${at}`), id, options) })
  return reports
}

/** An image says itself how long it is; one without checksums inside shows only by this that its end is missing. */
async function cutOffImage({ path, kind }: Candidate): Promise<Finding[]> {
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
function findingsOf(at: string, { description, findings }: AuditReport): Finding[] {
  const found = at === '.' ? [...findings] : findings.map((each) => ({ ...each, path: under(at, each.path) }))
  if (description) return found
  const message =
    'is no installation tree: it has no descriptor (.treeinfo, .disk/info, content, ...) and no kernel with its initrd in a place that we know'
  return [{ severity: 'error', path: at, message }, ...found]
}

function under(at: string, path: string): string {
  return cleanPath(`/${at}/${path}`).slice(1)
}

/** One line for people. */
export function findingText({ path, message }: Finding): string {
  return `${path} ${message}`
}
