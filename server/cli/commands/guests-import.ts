import { basename, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { whyUnreadable } from '../../config/problems.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { configurationLimits } from '../../core/limits/configuration.ts'
import { type ImportFormatName, importFormatNames, importFormats } from '../../definitions/import/formats.ts'
import { entryOutcomes, type ImportResult, importGuests } from '../../definitions/import/import-guests.ts'
import { readAtMost } from '../../host/read-at-most.ts'
import type { OpenedStore } from '../../store/sqlite/open.ts'
import { definitionsHere } from '../definition-change.ts'
import { keepAllLocal, openGuestStore } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot, withoutVerify } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { count, json, table } from '../output/table.ts'
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'
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
    .action((file: string, _: unknown, command: Command) => importFile(file, command.optsWithGlobals(), io))
}

async function importFile(file: string, options: ImportOptions, io: CliIo): Promise<void> {
  const server = await serverOf(options, io)
  const text = await textOf(file, io)
  const made = await inFile(file, () =>
    server ? importAt(server, text, options, io) : importHere(text, options, io),
  )
  const name = basename(file)
  const { format, changed, why, entries } = made
  if (options.json)
    io.out(json({ format, changed, why, entries: entries.map((each) => ({ file: name, ...each })) }))
  else {
    const rows = entries.map((each) => [
      `${name}:${each.line}`,
      each.result,
      each.name ?? '-',
      each.why ?? '',
    ])
    io.out(`${name} is read as ${importFormats[format].what}\n${table(rows)}${summaryOf(made, options)}`)
  }
  if (entries.some(({ result }) => result === 'faulty') && !options.skipFaulty) io.exit(exitCodes.badInput)
}

async function importHere(text: string, options: ImportOptions, io: CliIo): Promise<ImportResult> {
  const { from: format, profile, dryRun, skipFaulty, install } = options
  const snapshot = await readSnapshot(withoutVerify(options), io)
  let store: OpenedStore | undefined
  try {
    return await importGuests(
      { text, ...defined({ format, profile, dryRun, skipFaulty }) },
      {
        definitions: await definitionsHere(options, io),
        guests: snapshot.guests.all,
        profiles: snapshot.profiles,
        whyNot: (names) => whyNotAgreed(names, options, io),
        before: async (names) => {
          store = await openGuestStore(snapshot, io)
          await (install ? store.probe() : keepAllLocal(store, names))
        },
      },
    )
  } finally {
    await store?.close()
  }
}

/** Who is to be installed is asked for before the server makes it: what it would make, a dry run says. */
async function importAt(
  server: ApiClient,
  text: string,
  options: ImportOptions,
  io: CliIo,
): Promise<ImportResult> {
  const { from, profile, dryRun, skipFaulty, install } = options
  const query = {
    ...defined({ from, profile }),
    ...(skipFaulty && { 'skip-faulty': 'true' }),
    ...(install && { firstBoot: 'install' as const }),
  }
  const send = (isDry: boolean) =>
    server.call('importGuests', { query: { ...query, ...(isDry && { 'dry-run': 'true' }) }, body: text })
  if (dryRun || !install) return send(dryRun === true)
  const tried = await send(true)
  const names = tried.entries.flatMap(({ result, name }) => (result === 'not added' && name ? [name] : []))
  const isWrong = tried.entries.some(({ result }) => result === 'faulty') && !skipFaulty
  const why = isWrong || names.length === 0 ? undefined : await whyNotAgreed(names, options, io)
  return why === undefined ? send(false) : { ...tried, why }
}

async function whyNotAgreed(
  names: readonly string[],
  options: ImportOptions,
  io: CliIo,
): Promise<string | undefined> {
  const mustAsk = options.install && names.length > 1
  return mustAsk && !(await isAgreed(names, options, io)) ? 'you did not agree' : undefined
}

function summaryOf({ entries, why }: ImportResult, { install }: ImportOptions): string {
  const words = entryOutcomes.flatMap((word) => {
    const number = entries.filter(({ result }) => result === word).length
    return number === 0 ? [] : [`${number} ${word}`]
  })
  const total = words.length === 0 ? 'no entries' : words.join(', ')
  if (why !== null) return `${total}; nothing was changed: ${why}\n`
  const number = entries.filter(({ result }) => result === 'added').length
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
