import { type Command, InvalidArgumentError } from 'commander'
import { auditJson } from '../../api/access-views.ts'
import type { AuditBody } from '../../api/types.ts'
import { callerText } from '../../core/access/access.ts'
import type { NumberedAuditLine } from '../../core/access/records.ts'
import { defined } from '../../core/defined.ts'
import { momentOf, readAccounts } from '../access.ts'
import { type CommonOptions, configOption, jsonOption } from '../options.ts'
import type { CliIo } from '../output/io.ts'
import { json, localTimeOf, table } from '../output/table.ts'
import { serverOf } from '../remote/connect.ts'

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
  const show = async (lines: AsyncIterable<AuditBody>): Promise<void> => {
    const found = firstOf(lines, most)
    if (options.jsonLines) for await (const line of found) io.out(`${JSON.stringify(line)}\n`)
    else await print(found, options, io)
  }
  const server = await serverOf(options, io)
  if (server) return show(since(server.each('listAudit', {}), sinceMs))
  await readAccounts(options, io, ({ accounts }) => show(asJson(accounts.audit.export(defined({ sinceMs })))))
}

async function* asJson(lines: AsyncIterable<NumberedAuditLine>): AsyncGenerator<AuditBody> {
  for await (const line of lines) yield auditJson(line)
}

/** All are looked at: a clock that was set back leaves newer times behind older ones. */
async function* since(lines: AsyncIterable<AuditBody>, sinceMs = 0): AsyncGenerator<AuditBody> {
  for await (const line of lines) {
    if (Date.parse(line.at) >= sinceMs) yield line
  }
}

async function print(
  found: AsyncIterable<AuditBody>,
  { json: asJson }: AuditOptions,
  io: CliIo,
): Promise<void> {
  const lines: AuditBody[] = []
  for await (const line of found) lines.push(line)
  if (asJson) io.out(json(lines))
  else io.out(lines.length === 0 ? 'nothing was done yet\n' : auditTable(lines))
}

async function* firstOf<T>(all: AsyncIterable<T>, most: number): AsyncGenerator<T> {
  let taken = 0
  for await (const each of all) {
    if (++taken > most) return
    yield each
  }
}

function auditTable(lines: readonly AuditBody[]): string {
  const rows = lines.map((line) => [
    localTimeOf(line.at),
    callerText({ account: line.account, ...(line.token !== null && { token: line.token }) }),
    line.from,
    line.action,
    line.target || '-',
    changeText(line),
  ])
  return table([['TIME', 'WHO', 'FROM', 'WHAT', 'OF', 'CHANGE'], ...rows])
}

/** As long as a line of a terminal bears. */
const mostOfChange = 200

function changeText({ before, after }: AuditBody): string {
  const text = [before, after]
    .filter((value) => value !== null)
    .map((value) => JSON.stringify(value))
    .join(' -> ')
  return text.length <= mostOfChange ? text : `${text.slice(0, mostOfChange)}…`
}
