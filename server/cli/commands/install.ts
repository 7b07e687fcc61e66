import type { Command } from 'commander'
import { Failure } from '../../core/failure.ts'
import { type CommonOptions, configOption, jsonOption, optionsOf } from '../options.ts'
import { type OrderedGuest, type OrderName, type Orders, withOrders } from '../orders.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { count, json, localTimeOf } from '../output/table.ts'

interface InstallOptions extends CommonOptions {
  readonly held?: boolean
  readonly takeBack?: boolean
  readonly max?: string
  readonly yes?: boolean
}

interface HoldOptions extends CommonOptions {
  readonly all?: boolean
}

/**
 * `treeboot install`, `local` and `hold`: the operator's decisions. A running server follows them at once.
 *
 * @param group The program, or `treeboot guests`.
 */
export function registerInstall(group: Command, io: CliIo): void {
  group
    .command('install')
    .description('install guests: the next network boot of each installs it, once, whatever its state is')
    .argument('[guest...]', 'the names of guests')
    .option('--held', 'all guests that are held because the store is new or old')
    .option(
      '--take-back',
      'take the order back: the guests are again what they were, unless their installation has begun',
    )
    .option('--max <number>', 'refuse to install more guests than this')
    .option('-y, --yes', 'do not ask')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nMore than one guest: it names the number and asks, unless --yes is given.')
    .action((names: string[], _: unknown, command: Command) => install(names, optionsOf(command), io))
  group
    .command('local')
    .description('keep guests on their own disks: network boot does not install them any more')
    .argument('<guest...>', 'the names of guests')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((names: string[], _: unknown, command: Command) => keepLocal(names, optionsOf(command), io))
  group
    .command('hold')
    .description(
      'hold guests on their own disks: no report, retry or profile ends that, only install or local',
    )
    .argument('[guest...]', 'the names of guests')
    .option('--all', 'all guests; before data/ is restored from a backup, or a machine is rolled back')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((names: string[], _: unknown, command: Command) => hold(names, optionsOf(command), io))
}

async function install(names: readonly string[], options: InstallOptions, io: CliIo): Promise<void> {
  if (options.held === true && options.takeBack === true)
    throw new Failure('bad-request', '--held installs and --take-back takes back: give one of them')
  if (options.held === true) refuseNames(names, '--held', 'install')
  if (options.takeBack === true && names.length === 0) throw noNames('"treeboot install --take-back web01"')
  if (options.held !== true && names.length === 0) throw noNames('"treeboot install web01", or use --held')
  await withOrders(options, io, async (orders) => {
    if (options.takeBack === true) return carryOut('take-back', names, { orders, options, io })
    const wanted = options.held === true ? await orders.held() : names
    await orders.check(wanted)
    refuseTooMany(wanted.length, options)
    const mustAsk = options.held === true || wanted.length > 1
    if (mustAsk && wanted.length > 0 && !(await isAgreed(wanted, options, io)))
      return io.exit(exitCodes.failed)
    await carryOut('install', wanted, { orders, options, io })
    if (wanted.length === 0 && !options.json)
      io.out('no guest is held; guests that are defined from now on are installed\n')
  })
}

async function hold(names: readonly string[], options: HoldOptions, io: CliIo): Promise<void> {
  if (options.all === true) refuseNames(names, '--all', 'hold')
  if (options.all !== true && names.length === 0) throw noNames('"treeboot hold web01", or use --all')
  await withOrders(options, io, async (orders) => {
    const all = options.all === true ? await orders.all() : names
    await carryOut('hold', all, { orders, options, io })
  })
}

function keepLocal(names: readonly string[], options: CommonOptions, io: CliIo): Promise<void> {
  return withOrders(options, io, (orders) => carryOut('local', names, { orders, options, io }))
}

function noNames(example: string): Failure {
  return new Failure('bad-request', `name at least one guest, such as ${example}`)
}

/** Who names guests beside an option for many means those alone, and not the disks of all others. */
function refuseNames(names: readonly string[], option: string, command: string): void {
  if (names.length === 0) return
  const shown = names.slice(0, mostShown).join(' ')
  throw new Failure(
    'bad-request',
    `${option} means more guests than those that are named; nothing was changed: ` +
      `give either ${option} or the names, as "treeboot ${command} ${shown}"`,
  )
}

function refuseTooMany(number: number, { max }: InstallOptions): void {
  if (max === undefined) return
  if (!/^\d{1,6}$/.test(max)) throw new Failure('bad-request', `--max ${max}: expected a whole number`)
  if (number > Number(max))
    throw new Failure(
      'conflict',
      `this would install ${count(number, 'guest')}, and --max is ${max}; nothing was changed`,
    )
}

/** How many names a question shows. */
const mostShown = 10

export async function isAgreed(
  names: readonly string[],
  { yes }: Pick<InstallOptions, 'yes'>,
  io: CliIo,
): Promise<boolean> {
  if (yes === true) return true
  const shown = names.slice(0, mostShown)
  const more = names.length > shown.length ? `, and ${names.length - shown.length} more` : ''
  const what = `This erases the disks of ${count(names.length, 'guest')} at the next network boot: ${shown.join(', ')}${more}.`
  const agreed = await io.ask(`${what}\nInstall them? [y/N] `)
  if (agreed === undefined)
    throw new Failure('bad-request', `${what} Nothing was changed: nobody can be asked here; give --yes`)
  if (!agreed) io.err('nothing was changed\n')
  return agreed
}

async function carryOut(
  order: OrderName,
  names: readonly string[],
  { orders, options, io }: { readonly orders: Orders; readonly options: CommonOptions; readonly io: CliIo },
): Promise<void> {
  // All names are looked up before any change: a mistyped third name must not leave two guests changed.
  await orders.check(names)
  const done: OrderedGuest[] = []
  for (const name of names) done.push(await orders.give(order, name))
  await orders.end()
  if (options.json) io.out(json(done.map(({ name, after }) => ({ name, ...after }))))
  else for (const each of done) io.out(`${await outcome(order, each)}\n`)
}

/** The other states are words that fit behind "was". */
function stateWords(state: string): string {
  if (state === 'install') return 'to be installed'
  return state === 'installing' ? 'being installed' : state
}

async function outcome(order: OrderName, { name, before, after, next }: OrderedGuest): Promise<string> {
  const was =
    before.since === null ? 'was new' : `was ${stateWords(before.state)} since ${localTimeOf(before.since)}`
  if (order === 'take-back')
    return before.state === after.state
      ? `${name} is ${after.state}: there is no order to take back`
      : `${name} ${was}; it is ${after.state} again`
  if (order === 'hold') return `${name} ${was}; it is held, and boots its own disk until you say otherwise`
  if (order === 'local') return `${name} ${was}; it boots its own disk from now on`
  const { text, installs } = await next()
  return `${name} ${was}; its next network boot ${text}${installs ? ', once' : ''}`
}
