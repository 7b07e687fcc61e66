import type { Command } from 'commander'
import { guestSummary, identityText, stepText, stepView } from '../../api/views.ts'
import { planGuest, selectForGuest } from '../../core/boot/plan-boot.ts'
import { willBeHeldText } from '../../core/guest/doubt.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { type GuestState, type HistoryEntry, newState, whyLocalDisk } from '../../core/guest/state.ts'
import { openExistingStore } from '../../store/sqlite/open.ts'
import { inputsForGuest, nextInstallation } from '../answers.ts'
import {
  guestNamed,
  keepLocal,
  localTime,
  openGuestStore,
  readStoredStates,
  type StoredStates,
} from '../guest-store.ts'
import {
  type CommonOptions,
  configOption,
  jsonOption,
  readSnapshot,
  type VerifyOption,
  verifyOption,
  warnIfUnverified,
  withoutVerify,
} from '../options.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { json, table } from '../output/table.ts'
import { registerDefinitionVerbs, type VerbOptions } from './definition-verbs.ts'
import { registerGuestsExport } from './guests-export.ts'
import { registerGuestsImport } from './guests-import.ts'
import { registerRename } from './rename.ts'

export function registerGuests(program: Command, io: CliIo): void {
  const guests = program
    .command('guests')
    .description('list the guests: state, identity, profiles, and the tree that each would install')
    .addOption(verifyOption())
    .addOption(configOption())
    .addOption(jsonOption())
    .action((options: CommonOptions & VerifyOption) => listGuests(options, io))
  guests
    .command('show')
    .description('show the last installation of a guest, step by step')
    .argument('<guest>', 'the name of a guest')
    .addOption(verifyOption())
    .addOption(configOption())
    .addOption(jsonOption())
    // `guests` has the same options, and commander stores their values there: hence `optsWithGlobals`. The default of
    // `--no-verify` there would hide the value here.
    .action((name: string, { verify }: VerifyOption, command: Command) => {
      const options: CommonOptions & VerifyOption = command.optsWithGlobals()
      return showGuest(name, { ...options, verify: options.verify === true && verify === true }, io)
    })
  registerGuestsExport(guests, io)
  registerGuestsImport(guests, io)
  registerRename(guests, 'guest', io)
  registerDefinitionVerbs(guests, 'guest', io, {
    before: (name, options) => prepareGuest(name, options, io),
    reply: (name, options) => firstBootText(name, options, io),
  }).option('--local', 'the guest boots its own disk until "treeboot install NAME"')
}

/** What the machine of a guest that was just added will do. */
async function firstBootText(name: string, options: VerbOptions, io: CliIo): Promise<string> {
  if (options.local) return `it boots its own disk until "treeboot install ${name}"`
  const snapshot = await readSnapshot(withoutVerify(options), io)
  const { installs, text } = await nextInstallation(guestNamed(snapshot, name), { snapshot, io })
  const unless = `, unless its machine is known already; "treeboot guests show ${name}" tells`
  return `its first network boot ${text}${installs ? unless : ''}`
}

/**
 * Stored before the guest exists, so that no network boot can install it in between. Without `--local` the store must
 * be able to remember the installation, so no guest is made while it cannot be written.
 */
async function prepareGuest(name: string, options: VerbOptions, io: CliIo): Promise<void> {
  const store = await openGuestStore(await readSnapshot(withoutVerify(options), io), io)
  try {
    if (options.local) await keepLocal(store, name)
    else await store.probe()
  } finally {
    await store.close()
  }
}

async function listGuests(options: CommonOptions & VerifyOption, io: CliIo): Promise<void> {
  const { snapshot, stateOf } = await readStoredStates(await readSnapshot(options, io), io)
  const { guests, trees } = snapshot
  const summary = (guest: Guest) => guestSummary(guest, trees, stateOf(guest.name))
  const selections = guests.all.map((guest) => selectForGuest(guest, trees, stateOf(guest.name)))
  const named = new Set(selections.flatMap((each) => (each.found ? [each.tree] : [])))
  for (const tree of named) warnIfUnverified(tree, io)
  if (options.json) io.out(json(guests.all.map(summary)))
  else if (guests.all.length === 0)
    io.out('no guests yet: treeboot guests add NAME mac=... makes one, and so does guests: in config.yaml\n')
  else {
    const rows = guests.all.map((guest) => [
      guest.name,
      ...stateCells(stateOf(guest.name)),
      identityText(guest),
      guest.profiles.join(' < ') || '-',
      summary(guest).tree ?? 'no tree fits',
      guest.settings.template?.value ?? '-',
    ])
    io.out(table([['GUEST', 'STATE', 'SINCE', 'KNOWN BY', 'PROFILE', 'TREE', 'TEMPLATE'], ...rows]))
    io.out(foretoldText(guests.all, stateOf))
  }
  if (guests.all.length === 0) io.exit(exitCodes.notFound)
}

/** Which guests the next start of the server holds, and how their installation is ordered; '' when it holds none. */
function foretoldText(guests: readonly Guest[], stateOf: StoredStates['stateOf']): string {
  const isForetold = ({ state, sinceMs }: GuestState): boolean => state === 'held' && sinceMs === 0
  const held = guests.filter(({ name }) => isForetold(stateOf(name) ?? newState)).map(({ name }) => name)
  const [first, ...others] = held
  const reason = first === undefined ? undefined : stateOf(first)?.hold
  if (first === undefined || reason === undefined) return ''
  return `\n${willBeHeldText({ reason, held: [first, ...others] })}\n`
}

function stateCells(guestState: GuestState = newState): [string, string] {
  const { state, hold, sinceMs } = guestState
  return [hold === undefined ? state : `${state} (${hold})`, sinceMs === 0 ? '-' : localTime(sinceMs)]
}

async function showGuest(name: string, options: CommonOptions & VerifyOption, io: CliIo): Promise<void> {
  const snapshot = await readSnapshot(options, io)
  const guest = guestNamed(snapshot, name)
  const state = (await readStoredStates(snapshot, io)).stateOf(name) ?? newState
  const store = await openExistingStore(snapshot.config.paths)
  const story = (await store?.history(name, state.install)) ?? []
  await store?.close()
  if (options.json) {
    const summary = guestSummary(guest, snapshot.trees, state)
    return io.out(json({ ...summary, story: story.map(stepView) }))
  }
  const next = await inputsForGuest(guest, { snapshot, stateOf: () => state }, io)
  const plan = planGuest(guest, {}, next)
  if (plan.kind === 'install') warnIfUnverified(plan.tree, io)
  const installs = plan.kind === 'install' ? plan.tree.id : `nothing: ${plan.why}`
  io.out(storyText(guest, state, story, installs))
}

function storyText(
  guest: Guest,
  guestState: GuestState,
  story: readonly HistoryEntry[],
  installs: string,
): string {
  const now = whyLocalDisk(guest, guestState) ?? `${guest.name}: its next network boot installs ${installs}`
  const [state, since] = stateCells(guestState)
  const rows = story.map((step) => [`  ${localTime(step.atMs)}`, stepText(step)])
  const steps = rows.length === 0 ? '  nothing has happened yet\n' : table(rows)
  return `${guest.name}  ${state}${since === '-' ? '' : ` since ${since}`}\n${steps}${now}\n`
}
