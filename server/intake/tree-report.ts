import { distroName, distroOf } from '../core/distro/distro.ts'
import type { Description } from '../core/tree/tree.ts'
import type { Finding, SignatureNote } from '../verify/expected-file.ts'
import type { VerifyReport } from '../verify/verify-tree.ts'
import type { ImportedTree } from './import/import-tree.ts'

/** What was found of one tree when it was imported or verified: all that a command tells of it. */
export interface TreeReport {
  /** `Fedora 40 x86_64`; '' where nothing says what it is. */
  readonly system: string
  readonly files: number
  readonly bytes: number
  /** Of all findings, also where only the first are here. */
  readonly errors: number
  readonly warnings: number
  /** Published in spite of its faults. */
  readonly accepted: boolean
  /** The documents that name its files. */
  readonly documents: readonly string[]
  readonly findings: readonly ReportedFinding[]
  readonly signatures: readonly ReportedSignature[]
}

/** As JSON may have them. */
export type ReportedFinding = Pick<Finding, 'severity' | 'path' | 'message'> & {
  readonly with?: string | undefined
}
export type ReportedSignature = Pick<SignatureNote, 'document' | 'signature' | 'outcome'> & {
  readonly key?: string | undefined
  readonly signer?: string | undefined
}

export function importReport({ result }: ImportedTree): TreeReport {
  const { findings, signatures, description } = result
  const record = result.outcome === 'published' ? result.record : undefined
  return {
    system: description ? systemName(description) : '',
    files: record?.files ?? 0,
    bytes: record?.bytes ?? 0,
    ...counted(findings),
    accepted: record?.accepted !== undefined,
    documents: [],
    findings,
    signatures,
  }
}

export function verifyReport(report: VerifyReport): TreeReport {
  const { description, files, bytes, documents, findings, signatures } = report
  const system = description ? systemName(description) : ''
  return { system, files, bytes, ...counted(findings), accepted: false, documents, findings, signatures }
}

function counted(findings: readonly Finding[]): Pick<TreeReport, 'errors' | 'warnings'> {
  const errors = findings.filter(({ severity }) => severity === 'error').length
  return { errors, warnings: findings.length - errors }
}

function systemName(description: Description): string {
  const distro = distroOf(description)
  const name = distro === 'other' ? description.family : distroName(distro)
  return `${name} ${description.version} ${description.arch}`.trim()
}

/** What the last line of a mirror says that brought nothing. */
export const unchangedText = 'the upstream has not changed; the current version stays'
