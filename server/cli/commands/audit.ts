import { type Command, InvalidArgumentError } from 'commander'
import { callerText } from '../../core/access/access.ts'
import type { NumberedAuditLine } from '../../core/access/records.ts'
import { defined } from '../../core/defined.ts'
import { isoOrNull, momentOf, readAccounts } from '../access.ts'
import { localTime } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { json, table } from '../output/table.ts'

interface AuditOptions extends CommonOptions {
  readonly jsonLines?: boolean
  readonly since?: string
  readonly limit?: number
}

/** How many lines are shown when nobody asks for another number. */
const shownLines = 50

/** `treeboot audit`: who did what. */
export function registerAudit(program: Command, io: CliIo): void {
  program
    .command('audit')
    .description('show who changed what, from where, and what it was before; the newest first')
    .option('--since <when>', 'nothing that is older, such as 7d, 12h or 2026-11-23')
    .option(
      '--limit <number>',
      `so many lines (default: ${shownLines}; with --json-lines or --since all)`,
      wholeNumber,
    )
    .option('--json-lines', 'print one line of JSON for each, for programs that read a stream')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Values of passwords, tokens and keys are starred. The newest 100,000 lines are kept. Refused sign-ins are counted when there are
many of them: "notWritten" says how many have no line of their own.`,
    )
    .action((options: AuditOptions) => audit(options, io))
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Expected a whole number.')
}

async function audit(options: AuditOptions, io: CliIo): Promise<void> {
  const sinceMs = options.since === undefined ? undefined : momentOf('--since', options.since, -1)
  const isAll = options.jsonLines === true || sinceMs !== undefined
  const most = options.limit ?? (isAll ? Number.POSITIVE_INFINITY : shownLines)
  await readAccounts(options, io, async ({ accounts }) => {
    const found = firstOf(accounts.audit.export(defined({ sinceMs })), most)
    if (options.jsonLines) for await (const line of found) io.out(`${JSON.stringify(lineJson(line))}\n`)
    else await print(found, options, io)
  })
}

async function print(
  found: AsyncIterable<NumberedAuditLine>,
  { json: asJson }: AuditOptions,
  io: CliIo,
): Promise<void> {
  const lines: NumberedAuditLine[] = []
  for await (const line of found) lines.push(line)
  if (asJson) io.out(json(lines.map(lineJson)))
  else io.out(lines.length === 0 ? 'nothing was done yet\n' : auditTable(lines))
}

async function* firstOf<T>(all: AsyncIterable<T>, most: number): AsyncGenerator<T> {
  let taken = 0
  for await (const each of all) {
    if (++taken > most) return
    yield each
  }
}

function auditTable(lines: readonly NumberedAuditLine[]): string {
  const rows = lines.map((line) => [
    localTime(line.atMs),
    callerText(line),
    line.from,
    line.action,
    line.target || '-',
    changeText(line),
  ])
  return table([['TIME', 'WHO', 'FROM', 'WHAT', 'OF', 'CHANGE'], ...rows])
}

/** As long as a line of a terminal bears. */
const mostOfChange = 200

function changeText({ before, after }: NumberedAuditLine): string {
  const text = [before, after].filter((value) => value !== undefined).join(' -> ')
  return text.length <= mostOfChange ? text : `${text.slice(0, mostOfChange)}…`
}

function lineJson({ atMs, before, after, ...line }: NumberedAuditLine): Record<string, unknown> {
  return { at: isoOrNull(atMs), ...line, before: storedValue(before), after: storedValue(after) }
}

/** What is stored is JSON. */
function storedValue(text: string | undefined): unknown {
  return text === undefined ? null : JSON.parse(text)
}
