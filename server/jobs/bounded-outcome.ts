import { starred } from '../core/access/starred.ts'
import { defined } from '../core/defined.ts'
import type { JobOutcome, JobRecord } from './job.ts'

const mostLines = 100
const longestLine = 2000
/** Of all trees together. */
const mostFindings = 50
const longestFinding = 300
/** Of each tree. */
const mostDocuments = 200

/** What a job brought, as it is kept: the first lines and findings of each kind, with secrets starred. */
export function boundedOutcome({
  lines,
  trees,
  notes,
  problem,
}: JobOutcome): Pick<JobRecord, 'lines' | 'trees' | 'notes' | 'problem'> {
  return {
    lines: boundedLines(lines),
    trees: boundedTrees(trees),
    ...defined({ problem, notes: notes && boundedLines(notes) }),
  }
}

/** One line of text, with its secrets starred. */
export function boundedLine(text: string): string {
  return String(starred(text.slice(0, longestLine)))
}

function boundedLines(lines: readonly string[]): string[] {
  const more = lines.length > mostLines ? [`and ${lines.length - mostLines} more`] : []
  return [...lines.slice(0, mostLines).map(boundedLine), ...more]
}

/** The first findings, documents and signatures, of which the errors come first. */
function boundedTrees(trees: JobOutcome['trees']): JobRecord['trees'] {
  let left = mostFindings
  const short = (text: string): string => boundedLine(text.slice(0, longestFinding))
  const shortAll = <Item extends object>(items: readonly Item[]): Item[] => {
    const kept = items.slice(0, left)
    left -= kept.length
    const texts = (item: Item) =>
      Object.entries(item).map(([key, value]) => [key, typeof value === 'string' ? short(value) : value])
    return kept.map((item) => Object.fromEntries(texts(item)) as Item)
  }
  return trees.map(({ report, ...tree }) => {
    if (!report) return tree
    const isError = ({ severity }: (typeof report.findings)[number]): boolean => severity === 'error'
    const { findings, signatures, documents } = report
    const ordered = [...findings.filter(isError), ...findings.filter((each) => !isError(each))]
    return {
      ...tree,
      report: {
        ...report,
        findings: shortAll(ordered),
        signatures: shortAll(signatures),
        documents: documents.slice(0, mostDocuments).map(short),
      },
    }
  })
}
