import type { Command } from 'commander'
import type { DefinitionKind } from '../config/definition-files.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { ChangeOptions, DefinitionChange, Definitions } from '../definitions/definitions.ts'
import type { Note } from '../definitions/definitions-lock.ts'
import { FolderDefinitions } from '../definitions/folder-definitions.ts'
import { shownDifference } from '../definitions/shown-difference.ts'
import { requireConfigHere } from './config-here.ts'
import type { CommonOptions } from './options.ts'
import type { CliIo } from './output/io.ts'
import { json } from './output/table.ts'
import type { ApiClient } from './remote/client.ts'
import { serverOf } from './remote/connect.ts'

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

/** A change as it is printed: what was removed and added, and what became of the file. */
export interface ShownChange {
  readonly where: string
  readonly etag: string | null
  readonly changed: boolean
  /** Lines that begin with `-` and `+`. */
  readonly difference: string
  readonly happened: Happened
  readonly others?: readonly Pick<ShownChange, 'where' | 'difference' | 'happened'>[]
  readonly reply?: string
  readonly next?: NonNullable<CommandChange['next']>
}

export type Happened = 'made' | 'removed' | 'changed' | 'it was so already'

/** Makes a change of definitions, and prints it line by line. */
export async function runChange(
  command: Command,
  io: CliIo,
  change: (definitions: FolderDefinitions, options: ChangeOptions) => Promise<CommandChange>,
): Promise<void> {
  const options = changeOptions(command)
  const definitions = await definitionsHere(options, io)
  const dryRun = options.dryRun === true
  printChange(await change(definitions, { dryRun }), options, io)
}

/** The same for a change that a server can make as well. */
export async function runChangeThere(
  command: Command,
  io: CliIo,
  change: (server: ApiClient, options: ChangeOptions) => Promise<ShownChange>,
): Promise<boolean> {
  const options = changeOptions(command)
  const server = await serverOf(options, io)
  if (!server) return false
  printShown(await change(server, { dryRun: options.dryRun === true }), options, io)
  return true
}

/** The group has the same options, and commander stores their values there. */
function changeOptions(command: Command) {
  return command.optsWithGlobals<CommonOptions & { readonly dryRun?: boolean }>()
}

type PrintOptions = { readonly json?: boolean; readonly dryRun?: boolean }

/** Prints what was changed, or would be. */
export function printChange(change: CommandChange, options: PrintOptions, io: CliIo): void {
  const { others, reply, next } = change
  const shown = {
    ...shownOf(change),
    ...defined({ others: others?.map((other) => shownOf(other)), reply, next }),
  }
  printShown({ ...shown, changed: shown.changed && options.dryRun !== true }, options, io)
}

/** A change of one file as it is shown. */
export function shownOf(
  { where, before, after, etag }: DefinitionChange,
  differenceOf: typeof shownDifference = shownDifference,
): ShownChange {
  const difference = differenceOf(before, after)
  const happened = whatHappened(before, after)
  return { where, etag: etag ?? null, changed: before !== after, difference, happened }
}

function whatHappened(before: string | undefined, after: string | undefined): Happened {
  if (before === after) return 'it was so already'
  if (before === undefined) return 'made'
  return after === undefined ? 'removed' : 'changed'
}

/** Prints a change as it is shown. */
export function printShown(shown: ShownChange, options: PrintOptions, io: CliIo): void {
  const { where, etag, changed, difference, happened, others = [], reply, next } = shown
  const dryRun = options.dryRun === true
  if (options.json) {
    const set = others.map((other) => ({ file: other.where, difference: other.difference }))
    io.out(
      json({ file: where, changed, difference, etag, ...(set.length > 0 && { others: set }), ...next?.data }),
    )
    return
  }
  for (const other of others)
    io.out(`${other.difference}${other.where}: ${dryRun ? `would be ${other.happened}` : other.happened}\n`)
  io.out(difference)
  const said = reply === undefined ? '' : `; ${reply}`
  io.out(`${where}: ${dryRun ? 'nothing was changed (--dry-run)' : `${happened}${said}`}\n`)
  if (next) io.out(next.text)
}
