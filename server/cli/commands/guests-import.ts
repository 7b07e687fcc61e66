import { basename, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { Snapshot } from '../../catalog/snapshot.ts'
import { whyUnreadable } from '../../config/problems.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { configurationLimits } from '../../core/limits/configuration.ts'
import type { AddedDefinitions } from '../../definitions/definitions.ts'
import type { FolderDefinitions } from '../../definitions/folder-definitions.ts'
import {
  formatOf,
  type ImportFormatName,
  importFormatNames,
  importFormats,
} from '../../definitions/import/formats.ts'
import { type ImportStep, planImport } from '../../definitions/import/plan-import.ts'
import { readAtMost } from '../../host/read-at-most.ts'
import { definitionsHere } from '../definition-change.ts'
import { keepAllLocal, openGuestStore } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot, withoutVerify } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { count, json, table } from '../output/table.ts'
import { isAgreed } from './install.ts'

interface ImportOptions extends CommonOptions {
  readonly from?: ImportFormatName
  readonly profile?: string
  readonly dryRun?: boolean
  readonly skipFaulty?: boolean
  readonly install?: boolean
  readonly local?: boolean
  readonly yes?: boolean
}

const help = `
A guest of the same name stays as it is. Each entry that is taken becomes guests.d/<name>.yaml. Nothing is written when one
entry is wrong, unless --skip-faulty is given. The new guests boot their own disks until "treeboot install NAME": an
imported machine may be in use.

Examples:
  treeboot guests import hosts.csv --dry-run
  treeboot guests import /etc/dnsmasq.conf --profile web
  treeboot guests import /etc/kea/kea-dhcp4.conf --skip-faulty
  treeboot guests import new-rack.csv --install`

export function registerGuestsImport(guests: Command, io: CliIo): void {
  guests
    .command('import')
    .description(
      'make guests of a CSV table, or of the hosts that dnsmasq, ISC dhcpd, Kea, Cobbler or /etc/ethers name',
    )
    .argument('<file>', 'the file')
    .addOption(
      new Option('--from <format>', 'what the file is (default: as it looks)').choices(importFormatNames),
    )
    .option('--profile <name>', 'the profile of all imported guests')
    .option('--skip-faulty', 'leave out the entries that are wrong')
    .addOption(
      new Option('--local', 'they boot their own disks until "treeboot install NAME" (default)').conflicts(
        'install',
      ),
    )
    .option('--install', 'the first network boot of each installs it')
    .option('-y, --yes', 'with --install: do not ask')
    .option('--dry-run', 'say what would be done, and do nothing')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', help)
    .action((file: string, _: unknown, command: Command) => importGuests(file, command.optsWithGlobals(), io))
}

async function importGuests(file: string, options: ImportOptions, io: CliIo): Promise<void> {
  const snapshot = await readSnapshot(withoutVerify(options), io)
  if (options.profile !== undefined && !snapshot.profiles.has(options.profile))
    throw new Failure('not-found', `there is no profile ${options.profile}; "treeboot profiles" lists them`)
  const text = await textOf(file, io)
  const definitions = await definitionsHere(options, io)
  const format = await inFile(file, async () => options.from ?? formatOf(text))
  const { isOwn, what, parse } = importFormats[format]
  const written = new Map((await definitions.list('guest')).map(({ name, data }) => [name, data]))
  const ground = {
    guests: snapshot.guests.all,
    profiles: new Set(snapshot.profiles.keys()),
    written,
    isOwn,
    ...defined({ profile: options.profile }),
  }
  const steps = planImport(await inFile(file, async () => parse(text)), ground)
  const added = await addGuests(steps, definitions, { snapshot, options, io })
  const name = basename(file)
  const results = steps.map((step) => resultOf(step, added))
  if (options.json) {
    const entries = results.map((each) => ({ file: name, ...each }))
    const changed = results.some(({ result }) => result === 'added')
    io.out(json({ format, changed, why: added.whyNone ?? null, entries }))
  } else {
    const rows = results.map((each) => [
      `${name}:${each.line}`,
      each.result,
      each.name ?? '-',
      each.why ?? '',
    ])
    io.out(`${name} is read as ${what}\n${table(rows)}${summaryOf(results, added, options)}`)
  }
  if (results.some(({ result }) => result === 'faulty') && !options.skipFaulty) io.exit(exitCodes.badInput)
}

function summaryOf(results: readonly EntryResult[], { whyNone }: Added, { install }: ImportOptions): string {
  const words = (['added', 'not added', 'unchanged', 'skipped', 'faulty'] as const).flatMap((word) => {
    const number = results.filter(({ result }) => result === word).length
    return number === 0 ? [] : [`${number} ${word}`]
  })
  const total = words.length === 0 ? 'no entries' : words.join(', ')
  if (whyNone !== undefined) return `${total}; nothing was changed: ${whyNone}\n`
  const number = results.filter(({ result }) => result === 'added').length
  if (number === 0) return `${total}\n`
  const next = install
    ? 'the first network boot of each installs it, unless its machine is known already'
    : 'each boots its own disk until "treeboot install NAME"'
  return `${total}; ${count(number, 'new guest')}: ${next}\n`
}

/** A failure names the file, which its message does not. */
async function inFile<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Failure) throw new Failure(error.kind, `${file}: ${error.message}`, { cause: error })
    throw error
  }
}

async function textOf(file: string, { cwd }: CliIo): Promise<string> {
  const { bytes: most } = configurationLimits.guestsToImport
  const bytes = await readAtMost(resolve(cwd, file), most).catch((error: NodeJS.ErrnoException) => {
    throw new Failure(
      error.code === 'ENOENT' ? 'not-found' : 'invalid-data',
      `${file}: ${whyUnreadable(error)}`,
    )
  })
  if (!bytes) throw new Failure('invalid-data', `${file} has more than ${most} bytes; import it in parts`)
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Failure('invalid-data', `${file} is not UTF-8 text; save it as UTF-8`)
  }
}

/** What became of the guests that were to be made. */
interface Added extends AddedDefinitions {
  /** Why none was made. */
  readonly whyNone?: string
}

async function addGuests(
  steps: readonly ImportStep[],
  definitions: FolderDefinitions,
  { snapshot, options, io }: { snapshot: Snapshot; options: ImportOptions; io: CliIo },
): Promise<Added> {
  const { dryRun, skipFaulty } = options
  const wanted = new Map(
    steps.flatMap(({ name, data }) => (name !== undefined && data ? [[name, data]] : [])),
  )
  const isFaulty = steps.some(({ result }) => result === 'faulty')
  const checked = await definitions.addAll('guest', wanted, { dryRun: true, skipFaulty: true })
  if ((isFaulty || checked.faulty.size > 0) && !skipFaulty)
    return { ...checked, whyNone: 'an entry is wrong; correct it, or leave it out with --skip-faulty' }
  if (dryRun) return { ...checked, whyNone: '--dry-run' }
  if (checked.made.length === 0) return checked
  const names = checked.made
  if (options.install && names.length > 1 && !(await isAgreed(names, options, io)))
    return { ...checked, whyNone: 'you did not agree' }
  const store = await openGuestStore(snapshot, io)
  try {
    return await definitions.addAll('guest', wanted, {
      ...defined({ skipFaulty }),
      // Before there are such guests, so that no network boot can install one in between.
      before: (made) => (options.install ? store.probe() : keepAllLocal(store, made)),
    })
  } finally {
    await store.close()
  }
}

interface EntryResult {
  readonly line: number
  readonly result: 'added' | 'not added' | 'unchanged' | 'skipped' | 'faulty'
  readonly name: string | null
  readonly why: string | null
}

function resultOf({ line, name = '', result, why }: ImportStep, added: Added): EntryResult {
  const about = { line, name: name === '' ? null : name, why: why ?? null }
  if (result !== 'add') return { ...about, result }
  const problems = added.faulty.get(name)
  if (problems)
    return {
      ...about,
      result: 'faulty',
      why: problems
        .map(({ message, remedy }) => (remedy === undefined ? message : `${message}; ${remedy}`))
        .join('; '),
    }
  return { ...about, result: added.whyNone === undefined ? 'added' : 'not added' }
}
