import type { Command } from 'commander'
import type { Snapshot } from '../../catalog/snapshot.ts'
import { Failure } from '../../core/failure.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { nextState } from '../../core/guest/next-state.ts'
import { type GuestState, newState } from '../../core/guest/state.ts'
import { heldByDoubt } from '../../machines/guest-records.ts'
import type { Order } from '../../machines/history.ts'
import type { Store } from '../../store/store.ts'
import { nextInstallation } from '../answers.ts'
import { endDoubtIfOver, guestNamed, localTime, openGuestStore } from '../guest-store.ts'
import { type CommonOptions, configOption, jsonOption, readSnapshot } from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { count, json } from '../output/table.ts'

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
 */
export function registerInstall(program: Command, io: CliIo): void {
  program
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
    .action((names: string[], options: InstallOptions) => install(names, options, io))
  program
    .command('local')
    .description('keep guests on their own disks: network boot does not install them any more')
    .argument('<guest...>', 'the names of guests')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((names: string[], options: CommonOptions) => keepLocal(names, options, io))
  program
    .command('hold')
    .description(
      'hold guests on their own disks: no report, retry or profile ends that, only install or local',
    )
    .argument('[guest...]', 'the names of guests')
    .option('--all', 'all guests; before data/ is restored from a backup, or a machine is rolled back')
    .addOption(configOption())
    .addOption(jsonOption())
    .action((names: string[], options: HoldOptions) => hold(names, options, io))
}

async function install(names: readonly string[], options: InstallOptions, io: CliIo): Promise<void> {
  if (options.held === true && options.takeBack === true)
    throw new Failure('bad-request', '--held installs and --take-back takes back: give one of them')
  if (options.held === true) refuseNames(names, '--held', 'install')
  const snapshot = await readSnapshot(options, io)
  if (options.takeBack === true) {
    if (names.length === 0) throw noNames('"treeboot install --take-back web01"')
    return decide({ type: 'take-back' }, names, { snapshot, options, io })
  }
  const store = await openGuestStore(snapshot, io)
  try {
    const wanted = options.held === true ? await heldNames(store, snapshot) : names
    if (options.held !== true && names.length === 0) throw noNames('"treeboot install web01", or use --held')
    const guests = wanted.map((name) => guestNamed(snapshot, name))
    refuseTooMany(guests.length, options)
    const mustAsk = options.held === true || guests.length > 1
    if (mustAsk && guests.length > 0 && !(await isAgreed(guests, options, io)))
      return io.exit(exitCodes.failed)
    await carryOut({ type: 'install-once' }, guests, { snapshot, store, options, io })
    if (guests.length === 0 && !options.json)
      io.out('no guest is held; guests that are defined from now on are installed\n')
  } finally {
    await store.close()
  }
}

async function hold(names: readonly string[], options: HoldOptions, io: CliIo): Promise<void> {
  if (options.all === true) refuseNames(names, '--all', 'hold')
  const snapshot = await readSnapshot(options, io)
  if (options.all !== true && names.length === 0) throw noNames('"treeboot hold web01", or use --all')
  const all = options.all === true ? snapshot.guests.all.map((guest) => guest.name) : names
  await decide({ type: 'hold', reason: 'by the operator' }, all, { snapshot, options, io })
}

async function keepLocal(names: readonly string[], options: CommonOptions, io: CliIo): Promise<void> {
  await decide({ type: 'local' }, names, { snapshot: await readSnapshot(options, io), options, io })
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

/** The guests that are held because the store is in doubt, and are still in the configuration. */
async function heldNames(store: Store, { guests }: Snapshot): Promise<string[]> {
  return heldByDoubt(await store.states(), guests)
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
  guests: readonly Pick<Guest, 'name'>[],
  { yes }: Pick<InstallOptions, 'yes'>,
  io: CliIo,
): Promise<boolean> {
  if (yes === true) return true
  const shown = guests.slice(0, mostShown).map(({ name }) => name)
  const more = guests.length > shown.length ? `, and ${guests.length - shown.length} more` : ''
  const what = `This erases the disks of ${count(guests.length, 'guest')} at the next network boot: ${shown.join(', ')}${more}.`
  const agreed = await io.ask(`${what}\nInstall them? [y/N] `)
  if (agreed === undefined)
    throw new Failure('bad-request', `${what} Nothing was changed: nobody can be asked here; give --yes`)
  if (!agreed) io.err('nothing was changed\n')
  return agreed
}

async function decide(
  order: Order,
  names: readonly string[],
  context: Omit<OrderContext, 'store'>,
): Promise<void> {
  // All names are looked up before any change: a mistyped third name must not leave two guests changed.
  const guests = names.map((name) => guestNamed(context.snapshot, name))
  const store = await openGuestStore(context.snapshot, context.io)
  try {
    await carryOut(order, guests, { ...context, store })
  } finally {
    await store.close()
  }
}

interface OrderContext {
  readonly snapshot: Snapshot
  readonly store: Store
  readonly options: CommonOptions
  readonly io: CliIo
}

async function carryOut(
  order: Order,
  guests: readonly Guest[],
  { snapshot, store, options, io }: OrderContext,
): Promise<void> {
  const done = []
  for (const guest of guests) done.push({ guest, ...(await change(store, guest, order)) })
  await endDoubtIfOver(store, snapshot.guests)
  if (options.json)
    io.out(
      json(
        done.map(({ guest, after }) => ({ name: guest.name, state: after.state, install: after.install })),
      ),
    )
  else for (const each of done) io.out(`${await outcome(order, each, { snapshot, io })}\n`)
}

async function change(
  store: Store,
  guest: Guest,
  order: Order,
): Promise<{ before: GuestState; after: GuestState }> {
  let before = newState
  const after = await store.change(
    guest.name,
    (stored) => {
      before = stored ?? newState
      return nextState(stored, order, Date.now())
    },
    { durableFirst: true },
  )
  return { before, after: after ?? before }
}

interface Done {
  readonly guest: Guest
  readonly before: GuestState
  readonly after: GuestState
}

/** The other states are words that fit behind "was". */
function stateWords({ state }: GuestState): string {
  if (state === 'install') return 'to be installed'
  return state === 'installing' ? 'being installed' : state
}

async function outcome(
  { type }: Order,
  { guest, before, after }: Done,
  context: Pick<OrderContext, 'snapshot' | 'io'>,
): Promise<string> {
  const was =
    before.sinceMs === 0 ? 'was new' : `was ${stateWords(before)} since ${localTime(before.sinceMs)}`
  if (type === 'take-back')
    return before.state === after.state
      ? `${guest.name} is ${after.state}: there is no order to take back`
      : `${guest.name} ${was}; it is ${after.state} again`
  if (type === 'hold')
    return `${guest.name} ${was}; it is held, and boots its own disk until you say otherwise`
  if (type === 'local') return `${guest.name} ${was}; it boots its own disk from now on`
  const next = await nextInstallation(guest, context)
  return `${guest.name} ${was}; its next network boot ${next.text}${next.installs ? ', once' : ''}`
}
