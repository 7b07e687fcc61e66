import { bytes as size } from '../../events/units.ts'
import { bootTestPlace, findingText } from '../../intake/publish-tree.ts'
import type { TreeReport } from '../../intake/tree-report.ts'
import { describeSignatures } from './signatures.ts'
import { count } from './table.ts'

/** What became of an import or a verification, here or in a job of a server, in the same words. */

/** At most this many findings of an import are printed; further ones are only counted. */
const mostLines = 20
/** The same of a verification. */
const mostVerifyLines = 200

export interface ReportedTree {
  readonly id: string
  /** Null: it was not published. */
  readonly version: number | null
  readonly report: TreeReport
}

export function importText({ id, version, report }: ReportedTree): string {
  const { errors, warnings, system, files, bytes, accepted } = report
  const found = report.findings.filter((each) => each.severity === 'error')
  const shown = found.slice(0, mostLines)
  const faults = [
    ...shown.map((each) => `  ${findingText(each)}\n`),
    errors > shown.length ? `  and ${errors - shown.length} more\n` : '',
  ].join('')
  if (version === null) {
    const isBoot = found.some(({ path }) => path === bootTestPlace)
    const first = isBoot
      ? 'Repeat the command to test it again'
      : 'Get these files again and repeat the command'
    const remedy = `  ${first}, or publish the tree as it is with --accept "reason".\n`
    return `${id} NOT PUBLISHED: ${count(errors, 'fault')}\n${faults}${remedy}`
  }
  const warned = warnings > 0 ? `; ${count(warnings, 'warning')}, see treeboot verify ${id}` : ''
  const inSpite = accepted ? `, in spite of ${count(errors, 'fault')}:\n${faults}` : '\n'
  const signed = describeSignatures(report.signatures)
  return `${id}: ${system || 'tree'}, version ${version}, ${files} files, ${size(bytes)}${warned}${inSpite}${signed}`
}

/** The line of `--json`. */
export function importEvent({ id, version, report }: ReportedTree, resumed?: boolean) {
  const { files, bytes, findings, signatures } = report
  if (version === null) return { event: 'refused', id, findings, signatures }
  const going = resumed === undefined ? {} : { resumed }
  return { event: 'published', id, version, files, bytes, ...going, findings, signatures }
}

export function verifyText(id: string, report: TreeReport): string {
  const { files, bytes, documents, signatures, findings, errors, warnings } = report
  const shown = findings.slice(0, mostVerifyLines)
  const lines = shown.map(
    (each) => `${each.severity === 'error' ? 'ERROR  ' : 'warning'}  ${findingText(each)}\n`,
  )
  if (errors + warnings > shown.length) lines.push(`and ${errors + warnings - shown.length} more\n`)
  const by = documents.length === 0 ? 'none of its files names a checksum' : `named by ${shorten(documents)}`
  const verdict = errors === 0 ? 'whole' : count(errors, 'fault')
  return `${lines.join('')}${describeSignatures(signatures)}${id}: ${verdict}; ${count(files, 'file')} checked, ${size(bytes)} read; ${by}\n`
}

/** The value of `--json`. */
export function verifyView(id: string, { files, bytes, documents, signatures, findings }: TreeReport) {
  return { id, files, bytes, documents, signatures, findings }
}

function shorten(documents: readonly string[]): string {
  const some = documents.slice(0, 4).join(', ')
  return documents.length > 4 ? `${some} and ${documents.length - 4} more` : some
}
