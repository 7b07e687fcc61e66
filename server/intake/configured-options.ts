import type { Config } from '../config/schema.ts'
import { defined } from '../core/defined.ts'
import type { EventSink } from '../events/bus.ts'
import { readSignaturePolicy } from '../verify/signatures/key-files.ts'
import type { ImportedTree, ImportOptions } from './import/import-tree.ts'
import { errorTexts } from './publish-tree.ts'

/** What the configuration says of every import and mirror that the server runs. */
export async function configuredOptions({
  verify,
  limits,
  import: { maxUnpackedBytes },
}: Pick<Config, 'verify' | 'limits' | 'import'>): Promise<
  Pick<ImportOptions, 'signatures' | 'minFree' | 'maxUnpackedBytes'>
> {
  const signatures = await readSignaturePolicy(verify)
  return defined({ ...limits, maxUnpackedBytes, signatures })
}

/** The most faults of one tree that are told. */
const mostFaults = 20

/** What became of one tree, a line each. `from`: `the mirror fedora`, for people. */
export function linesOfTree({ id, result }: ImportedTree, from: string): readonly string[] {
  if (result.outcome === 'published') return [`${id}: version ${result.record.version} from ${from}`]
  const faults = errorTexts(result.findings)
  const more = faults.length > mostFaults ? [`and ${faults.length - mostFaults} more`] : []
  return [...faults.slice(0, mostFaults), ...more]
}

/** Tells everybody of trees that an import or a mirror brought. */
export function reportTrees(events: EventSink, trees: readonly ImportedTree[], from: string): void {
  for (const tree of trees)
    events({ type: 'publish', id: tree.id, outcome: tree.result.outcome, lines: linesOfTree(tree, from) })
}
