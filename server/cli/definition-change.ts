import type { Command } from 'commander'
import type { DefinitionKind } from '../config/definition-files.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { ChangeOptions, DefinitionChange, Definitions } from '../definitions/definitions.ts'
import type { Note } from '../definitions/definitions-lock.ts'
import { FolderDefinitions } from '../definitions/folder-definitions.ts'
import { lineDifference } from '../definitions/line-difference.ts'
import { requireConfigHere } from './config-here.ts'
import type { CommonOptions } from './options.ts'
import type { CliIo } from './output/io.ts'
import { json } from './output/table.ts'

/** What a command changed, or would change. */
export interface CommandChange extends DefinitionChange {
  /** Changes of other files that belong to it. */
  readonly others?: readonly DefinitionChange[]
  /** What is to be said beside it. */
  readonly reply?: string
  /** What is to be done next: for people, and the same as data. */
  readonly next?: { readonly text: string; readonly data: Readonly<Record<string, unknown>> }
}

/** Tells what became of a change that an earlier command had to leave. */
export function noteTo(io: CliIo): Note {
  return ({ text, isWhole }) => io.err(`${isWhole ? '' : 'warning: '}${text}\n`)
}

/** The definitions of a command's configuration. */
export async function definitionsHere(options: CommonOptions, io: CliIo): Promise<FolderDefinitions> {
  await requireConfigHere(options, io)
  return new FolderDefinitions(defined({ file: options.config, cwd: io.cwd }), noteTo(io))
}

/**
 * The entity tag of a definition that is to be changed as it is now.
 *
 * @throws Failure `forbidden` when it may not be changed.
 */
export async function expectedOf(
  definitions: Definitions,
  kind: DefinitionKind,
  name: string,
): Promise<string | undefined> {
  const { etag, readOnly } = await definitions.read(kind, name)
  if (readOnly !== undefined) throw new Failure('forbidden', readOnly)
  return etag
}

/** Makes a change of definitions, and prints it line by line. */
export async function runChange(
  command: Command,
  io: CliIo,
  change: (definitions: FolderDefinitions, options: ChangeOptions) => Promise<CommandChange>,
): Promise<void> {
  // The group has the same options, and commander stores their values there.
  const options = command.optsWithGlobals<CommonOptions & { readonly dryRun?: boolean }>()
  const definitions = await definitionsHere(options, io)
  const dryRun = options.dryRun === true
  printChange(await change(definitions, { dryRun }), options, io)
}

/** Prints what was changed, or would be. */
export function printChange(
  { others = [], reply, next, ...main }: CommandChange,
  options: { readonly json?: boolean; readonly dryRun?: boolean },
  io: CliIo,
): void {
  const dryRun = options.dryRun === true
  if (options.json) {
    const { where, before, after, etag } = main
    const shown = { file: where, changed: before !== after && !dryRun, difference: differenceOf(main) }
    const set = others.map((other) => ({ file: other.where, difference: differenceOf(other) }))
    io.out(json({ ...shown, etag: etag ?? null, ...(set.length > 0 && { others: set }), ...next?.data }))
    return
  }
  for (const other of others)
    io.out(
      `${differenceOf(other)}${other.where}: ${dryRun ? `would be ${whatHappened(other)}` : whatHappened(other)}\n`,
    )
  io.out(differenceOf(main))
  const said = reply === undefined ? '' : `; ${reply}`
  io.out(`${main.where}: ${dryRun ? 'nothing was changed (--dry-run)' : `${whatHappened(main)}${said}`}\n`)
  if (next) io.out(next.text)
}

function differenceOf({ before = '', after = '' }: DefinitionChange): string {
  return lineDifference(before, after)
}

function whatHappened({ before, after }: DefinitionChange): string {
  if (before === after) return 'it was so already'
  if (before === undefined) return 'made'
  return after === undefined ? 'removed' : 'changed'
}
