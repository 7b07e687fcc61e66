import type { Command } from 'commander'
import type { GuestDetail, GuestSummary, StoryStep } from '../../api/types.ts'
import { guestDetail, guestSummary, identityText, stepText, stepView } from '../../api/views.ts'
import type { YamlMapping } from '../../config/yaml.ts'
import { planKnown, selectForGuest } from '../../core/boot/plan-boot.ts'
import { willBeHeldText } from '../../core/guest/doubt.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { type GuestState, newState } from '../../core/guest/state.ts'
import { openExistingStore } from '../../store/sqlite/open.ts'
import { inputsForGuest, nextInstallation } from '../answers.ts'
import type { ShownChange } from '../definition-change.ts'
import { guestNamed, keepLocal, openGuestStore, readStoredStates, type StoredStates } from '../guest-store.ts'
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
import { stateCell, stateText } from '../output/states.ts'
import { json, localTimeOf, sortedBy, table } from '../output/table.ts'
import type { ApiClient } from '../remote/client.ts'
import { serverOf } from '../remote/connect.ts'
import { dryRunQuery, shownAt } from '../remote/definitions.ts'
import { nextText } from '../remote/next-boot.ts'
import { registerDefinitionVerbs, type VerbOptions } from './definition-verbs.ts'
import { registerGuestsExport } from './guests-export.ts'
import { registerForget } from './guests-forget.ts'
import { registerGuestsImport } from './guests-import.ts'
import { registerInstall } from './install.ts'
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
  registerInstall(guests, io)
  registerForget(guests, io)
  registerGuestsExport(guests, io)
  registerGuestsImport(guests, io)
  registerRename(guests, 'guest', io)
  registerDefinitionVerbs(guests, 'guest', io, {
    before: (name, options) => prepareGuest(name, options, io),
    reply: (name, options) => firstBootText(name, options, io),
    create: (server, name, definition, options) => createAt(server, name, definition, options),
  }).option('--local', 'the guest boots its own disk until "treeboot install NAME"')
}

/** A new guest at a server, which stores what its first boot does before it exists. */
async function createAt(
  server: ApiClient,
  name: string,
  definition: YamlMapping,
  { local, dryRun }: VerbOptions,
): Promise<ShownChange> {
  const firstBoot = local ? 'local' : 'install'
  const body = { name, definition, firstBoot } as const
  const shown = shownAt(await server.call('createGuest', { body, query: dryRunQuery(dryRun) }), 'made')
  if (dryRun) return shown
  if (local) return { ...shown, reply: keptText(name) }
  const made = await server.call('getGuest', { params: { name } })
  return { ...shown, reply: replyText(name, nextText(made)) }
}

function keptText(name: string): string {
  return `it boots its own disk until "treeboot install ${name}"`
}

/** What the machine of a guest that was just added will do. */
async function firstBootText(name: string, options: VerbOptions, io: CliIo): Promise<string> {
  if (options.local) return keptText(name)
  const snapshot = await readSnapshot(withoutVerify(options), io)
  return replyText(name, await nextInstallation(guestNamed(snapshot, name), { snapshot, io }))
}

function replyText(name: string, { installs, text }: Awaited<ReturnType<typeof nextInstallation>>): string {
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
  const server = await serverOf(options, io)
  const { guests, foretold } = server
    ? { guests: await server.all('listGuests', {}), foretold: '' }
    : await guestsHere(options, io)
  if (options.json) io.out(json(guests))
  else if (guests.length === 0)
    io.out('no guests yet: treeboot guests add NAME mac=... makes one, and so does guests: in config.yaml\n')
  else io.out(`${guestTable(guests, io)}${foretold}`)
  if (guests.length === 0) io.exit(exitCodes.notFound)
}

/** By their names, and what the next start of the server will do to them. */
async function guestsHere(
  options: CommonOptions & VerifyOption,
  io: CliIo,
): Promise<{ readonly guests: readonly GuestSummary[]; readonly foretold: string }> {
  const { snapshot, stateOf } = await readStoredStates(await readSnapshot(options, io), io)
  const { guests, trees } = snapshot
  const selections = guests.all.map((guest) => selectForGuest(guest, trees, stateOf(guest.name)))
  const named = new Set(selections.flatMap((each) => (each.found ? [each.tree] : [])))
  for (const tree of named) warnIfUnverified(tree, io)
  const summaries = guests.all.map((guest) => guestSummary(guest, trees, stateOf(guest.name)))
  return { guests: sortedBy(summaries, ({ name }) => name), foretold: foretoldText(guests.all, stateOf) }
}

function guestTable(guests: readonly GuestSummary[], io: CliIo): string {
  const rows = guests.map((guest) => [
    guest.name,
    stateCell('guest', guest.state, io, holdText(guest)),
    sinceText(guest) ?? '-',
    identityText(guest),
    guest.profiles.join(' < ') || '-',
    guest.tree ?? 'no tree fits',
    guest.template ?? '-',
  ])
  return table([['GUEST', 'STATE', 'SINCE', 'KNOWN BY', 'PROFILE', 'TREE', 'TEMPLATE'], ...rows])
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

function holdText({ hold }: GuestSummary): string {
  return hold === null ? '' : ` (${hold})`
}

function sinceText({ since }: GuestSummary): string | undefined {
  return since === null ? undefined : localTimeOf(since)
}

async function showGuest(name: string, options: CommonOptions & VerifyOption, io: CliIo): Promise<void> {
  const server = await serverOf(options, io)
  const params = { name }
  const { guest, story } = server
    ? { guest: await server.call('getGuest', { params }), story: await server.all('getStory', { params }) }
    : await guestHere(name, options, io)
  io.out(options.json ? json({ ...guest, story }) : storyText(guest, story, io))
}

async function guestHere(
  name: string,
  options: CommonOptions & VerifyOption,
  io: CliIo,
): Promise<{ readonly guest: GuestDetail; readonly story: readonly StoryStep[] }> {
  const snapshot = await readSnapshot(options, io)
  const guest = guestNamed(snapshot, name)
  const state = (await readStoredStates(snapshot, io)).stateOf(name) ?? newState
  const store = await openExistingStore(snapshot.config.paths)
  const story = (await store?.history(name, state.install)) ?? []
  await store?.close()
  const plan = planKnown(guest, {}, await inputsForGuest(guest, { snapshot, stateOf: () => state }, io))
  if (plan.kind === 'install') warnIfUnverified(plan.tree, io)
  return { guest: guestDetail(guest, { trees: snapshot.trees, state, plan }), story: story.map(stepView) }
}

function storyText(guest: GuestDetail, story: readonly StoryStep[], io: CliIo): string {
  const state = stateText('guest', guest.state, io, holdText(guest))
  const since = sinceText(guest)
  const rows = story.map((step) => [`  ${localTimeOf(step.at)}`, stepText(step)])
  const steps = rows.length === 0 ? '  nothing has happened yet\n' : table(rows)
  return `${guest.name}  ${state}${since === undefined ? '' : ` since ${since}`}\n${steps}${nowText(guest)}\n`
}

function nowText({ name, tree, nextBoot: { plan, why } }: GuestDetail): string {
  if (plan === 'local-disk') return why ?? `${name} boots its own disk`
  return `${name}: its next network boot installs ${plan === 'install' ? tree : `nothing: ${why}`}`
}
