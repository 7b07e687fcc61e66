import { GiB, KiB, type Limit, MiB } from '../../server/core/limits/limit.ts'
import { limitTables } from '../../server/core/limits/limits.ts'
import { type LimitName, proofs } from './limit-proofs.ts'

/** Who can send what is read; the tables of limits name them by one word. */
const senders: Readonly<Record<string, string>> = {
  network: 'anyone who reaches the service',
  administrator: 'anyone with the admin token',
  tree: 'whoever made the tree',
  image: 'whoever made the image',
  upstream: 'the upstream',
  operator: 'the operator',
}

function amount(bytes: number): string {
  for (const [unit, name] of [
    [GiB, 'GiB'],
    [MiB, 'MiB'],
    [KiB, 'KiB'],
  ] as const)
    if (bytes >= unit && bytes % unit === 0) return `${bytes / unit} ${name}`
  return String(bytes)
}

function row(name: string, limit: Limit): string {
  const { test, fuzz } = proofs[name as LimitName]
  const seconds = limit.ms === undefined ? '' : `${limit.ms / 1000} s`
  const cells = [
    limit.what,
    senders[limit.from] ?? limit.from,
    limit.bytes === undefined ? '' : amount(limit.bytes),
    limit.entries?.toLocaleString('en') ?? '',
    limit.depth?.toLocaleString('en') ?? '',
    seconds,
    limit.beyond,
    test === undefined ? 'none yet' : `\`tests/${test.split(': ')[0]}\``,
    typeof fuzz === 'string' ? `\`${fuzz}\`` : fuzz.none,
  ]
  return `| ${cells.join(' | ')} |`
}

/** The tables as docs/limits.md shows them. */
export function limitsPage(): string {
  const head = '| what is read | from | bytes | entries | depth | time | beyond it | proved by | fuzzer |'
  return Object.entries(limitTables)
    .map(([title, limits]) => {
      const rows = Object.entries<Limit>(limits).map(([name, limit]) => row(name, limit))
      return [`## ${title}`, '', head, `|${' --- |'.repeat(9)}`, ...rows].join('\n')
    })
    .join('\n\n')
}
