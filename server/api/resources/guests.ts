import { z } from 'zod'
import type { YamlMapping } from '../../config/yaml.ts'
import { callerText, type Need } from '../../core/access/access.ts'
import { explainBoot } from '../../core/boot/explain.ts'
import { selectForGuest } from '../../core/boot/plan-boot.ts'
import { defined } from '../../core/defined.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { type GuestState, newState } from '../../core/guest/state.ts'
import type { Requester } from '../../core/net/requester.ts'
import { diskSource } from '../../files/disk.ts'
import { planFor } from '../../machines/decide.ts'
import { knownOfMachine } from '../../machines/explain-machine.ts'
import type { Order } from '../../machines/history.ts'
import { handWrittenFor } from '../../namespace/hand-written.ts'
import { loaderFinder } from '../../namespace/host-loaders.ts'
import { actorOf } from '../actor.ts'
import { type ApiContext, inputsForGuest } from '../context.ts'
import type { WantedChange } from '../definition-resource.ts'
import { settingViews } from '../definition-views.ts'
import { firstBoot, prepareGuest } from '../first-boot.ts'
import { guestNamed } from '../guest-named.ts'
import { listQuery, pageOf, wholeList } from '../lists.ts'
import { type Call, json, needs, route } from '../route.ts'
import { settingPage } from '../schemas/definitions.ts'
import {
  explanation,
  forgotten,
  guestPage,
  guestDetail as guestSchema,
  installStates,
  storyPage,
} from '../schemas/guests.ts'
import type { GuestDetail } from '../types.ts'
import { guestDetail, stepView } from '../views.ts'
import { definitionRoutes } from './definitions.ts'

const guests = '/api/v1/guests'
const guest = `${guests}/:name`
const params = z.object({ name: z.string() })
const reads = { access: needs('viewer', 'guests:read'), readsGuests: true } as const
// These need no `readsGuests`: an order reads what other processes wrote before it writes.
const orders = { access: needs('operator', 'guests:order') } as const

const filters = {
  state: z.enum(installStates, `one of ${installStates.join(', ')}`).optional(),
  profile: z.string().optional(),
  tree: z.string().optional().meta({ description: 'the id of the tree that it would install' }),
  q: z.string().optional().meta({ description: 'a part of its name, MAC, UUID, serial number or address' }),
}

type GuestFilters = { readonly [Key in keyof typeof filters]?: string | undefined }

function isWanted({ state, profile, tree, q }: GuestFilters, { snapshot, machines }: ApiContext) {
  const { trees } = snapshot()
  const part = q?.toLowerCase()
  const installs = (each: Guest): string | undefined => {
    const selection = selectForGuest(each, trees, machines.stateOf(each.name))
    return selection.found ? selection.tree.id : undefined
  }
  return (each: Guest): boolean =>
    (state === undefined || (machines.stateOf(each.name)?.state ?? 'install') === state) &&
    (profile === undefined || each.profiles.includes(profile)) &&
    (part === undefined || identities(each).includes(part)) &&
    (tree === undefined || installs(each) === tree)
}

function identities({ name, macs, uuid = '', serial = '', ip = '' }: Guest): string {
  return [name, ...macs, uuid, serial, ip].join(' ').toLowerCase()
}

/**
 * Stored before the definition has its new name, so that no network boot can install it in between.
 */
async function prepareRename(
  name: string,
  newName: string,
  { catalog, snapshot, machines }: ApiContext,
): Promise<string | undefined> {
  // Who its machine is, as the files say it now.
  await catalog.readConfig()
  const isHeld = await machines.beforeRename(guestNamed(snapshot(), name), newName)
  return isHeld
    ? `it is held and boots its own disk until it is ordered to install: nothing tells that ${newName} is the same machine`
    : undefined
}

/**
 * What a token may do that changes guests and orders nothing: nothing that erases a disk. By a new guest it could say
 * `install`, and by another MAC an installation that somebody ordered would go to another machine.
 */
function needsOrder(
  { name, before, after, made }: WantedChange,
  { machines }: Pick<ApiContext, 'machines'>,
): Need | undefined {
  const isSame = before === undefined || machineText(before) === machineText(after ?? {})
  const isArmed = (machines.stateOf(name)?.state ?? 'install') === 'install'
  return made?.firstBoot === 'install' || (isArmed && !isSame) ? orders.access : undefined
}

function machineText({ mac, uuid, serial, ip, shown }: YamlMapping): string {
  return JSON.stringify([mac, uuid, serial, ip, shown])
}

export const guestRoutes = [
  ...definitionRoutes({
    kind: 'guest',
    word: 'Guest',
    reads: reads.access,
    writes: needs('operator', 'guests:write'),
    more: { firstBoot },
    before: (name, body, context) => prepareGuest(name, body.firstBoot, context),
    beforeRename: prepareRename,
    alsoNeeds: needsOrder,
  }),
  route({
    method: 'GET',
    path: guests,
    operation: 'listGuests',
    summary: 'the guests and their states',
    ...reads,
    query: listQuery(['name', 'state', 'since'], filters),
    answers: { 200: json(guestPage) },
    handle({ query }, context) {
      const { snapshot, machines, guestSummaries } = context
      const { guests: known, trees } = snapshot()
      const stateOf = (each: Guest): GuestState | undefined => machines.stateOf(each.name)
      const hasFilter = Object.keys(filters).some((key) => key in query)
      const { items, ...page } = pageOf(known.all, query, {
        idOf: ({ name }) => name,
        keys: {
          state: (each) => stateOf(each)?.state ?? 'install',
          since: (each) => stateOf(each)?.sinceMs ?? 0,
        },
        isWanted: hasFilter ? isWanted(query, context) : undefined,
      })
      return { json: { items: guestSummaries.of(items, trees, stateOf), ...page } }
    },
  }),
  route({
    method: 'GET',
    path: guest,
    operation: 'getGuest',
    summary: 'one guest',
    ...reads,
    params,
    answers: { 200: json(guestSchema) },
    async handle(call, context) {
      const found = guestNamed(context.snapshot(), call.params.name)
      return { json: await detailOf(found, context.machines.stateOf(found.name), call.who, context) }
    },
  }),
  route({
    method: 'GET',
    path: `${guest}/explain`,
    operation: 'explainGuest',
    summary: 'every setting of the guest, and the rule that it comes from',
    ...reads,
    params,
    answers: { 200: json(explanation) },
    async handle(call, context) {
      return { json: wholeList(await explain(call.params.name, call.who, context)) }
    },
  }),
  route({
    method: 'GET',
    path: `${guest}/story`,
    operation: 'getStory',
    summary: 'the last steps of the guest, oldest first',
    ...reads,
    params,
    answers: { 200: json(storyPage) },
    async handle(call, { snapshot, machines }) {
      const { name } = guestNamed(snapshot(), call.params.name)
      return { json: wholeList((await machines.history(name)).map(stepView)) }
    },
  }),
  route({
    method: 'GET',
    path: `${guest}/settings`,
    operation: 'getGuestSettings',
    summary: 'every value of the guest with all that it inherits, and where each was said',
    access: reads.access,
    params,
    answers: { 200: json(settingPage) },
    handle: (call, { snapshot }) => ({
      json: wholeList(settingViews(guestNamed(snapshot(), call.params.name).settings)),
    }),
  }),
  route({
    method: 'POST',
    path: `${guest}/install`,
    operation: 'installGuest',
    summary: 'the next network boot of the guest erases and installs it, once',
    ...orders,
    params,
    answers: { 200: json(guestSchema) },
    handle: async (call, context) => ({ json: await order({ type: 'install-once' }, call, context) }),
  }),
  route({
    method: 'POST',
    path: `${guest}/local`,
    operation: 'keepGuestLocal',
    summary: 'the guest boots its own disk from now on',
    ...orders,
    params,
    answers: { 200: json(guestSchema) },
    handle: async (call, context) => ({ json: await order({ type: 'local' }, call, context) }),
  }),
  route({
    method: 'POST',
    path: `${guest}/hold`,
    operation: 'holdGuest',
    summary: 'the guest boots its own disk, and no report, retry or profile ends that',
    ...orders,
    params,
    body: z
      .object({ reason: z.string().min(1).max(200).optional() })
      .default({})
      .meta({ id: 'Hold' }),
    answers: { 200: json(guestSchema) },
    async handle(call, context) {
      const { caller, body } = call
      const who = caller ? callerText(caller) : 'the operator'
      const words = body.reason?.replace(/\s+/g, ' ').trim()
      const reason = `by ${who}${words ? `: ${words}` : ''}` as const
      return { json: await order({ type: 'hold', reason }, call, context) }
    },
  }),
  route({
    method: 'POST',
    path: `${guest}/take-back`,
    operation: 'takeBackInstallation',
    summary: 'takes the order of an installation back that has not begun',
    ...orders,
    params,
    answers: { 200: json(guestSchema) },
    handle: async (call, context) => ({ json: await order({ type: 'take-back' }, call, context) }),
  }),
  route({
    method: 'POST',
    path: `${guest}/forget`,
    operation: 'forgetGuest',
    summary: 'forgets which machines the guest was, also of a guest that was removed',
    description:
      'Its earlier MACs, UUIDs and serial numbers say nothing any more: other guests may have those machines. It boots its own disk until it is ordered to install.',
    ...orders,
    params,
    failures: ['conflict'],
    answers: { 200: json(forgotten) },
    async handle(call, { machines, accounts }) {
      const { name } = call.params
      const before = machines.stateOf(name)
      const { state, hold } = await machines.forget(
        name,
        call.caller ? callerText(call.caller) : 'the operator',
      )
      const deed = { action: 'guests.forget', target: name, before: orderedState(before) }
      await accounts.audit.write(actorOf(call), deed)
      return { json: { name, state, hold: hold ?? null } }
    },
  }),
] as const

type GuestCall = Call<z.output<typeof params>>

/** Stores the order and writes it down. */
async function order(wanted: Order, call: GuestCall, context: ApiContext): Promise<GuestDetail> {
  const { machines, accounts, snapshot } = context
  const found = guestNamed(snapshot(), call.params.name)
  const before = machines.stateOf(found.name)
  const state = await machines.order(found.name, wanted)
  await accounts.audit.write(actorOf(call), {
    action: `guests.${deeds[wanted.type]}`,
    target: found.name,
    before: orderedState(before),
    after: orderedState(state),
  })
  return detailOf(found, state, call.who, context)
}

const deeds = {
  'install-once': 'install',
  'take-back': 'take-back',
  local: 'local',
  hold: 'hold',
} as const satisfies Record<Order['type'], string>

function orderedState({ state, hold }: GuestState = newState): object {
  return defined({ state, hold })
}

async function detailOf(
  found: Guest,
  state: GuestState | undefined,
  who: Requester,
  context: ApiContext,
): Promise<GuestDetail> {
  const plan = planFor(found, await inputsForGuest(context, who, found), 'next-boot')
  return guestDetail(found, { trees: context.snapshot().trees, state, plan })
}

async function explain(name: string, who: Requester, context: ApiContext) {
  const current = context.snapshot()
  const found = guestNamed(current, name)
  const { tftpboot } = current.config.paths
  const handWritten = await handWrittenFor(diskSource(tftpboot), { name }, current.guests)
  const { machines, services, source } = context
  const shown = await knownOfMachine(
    { name },
    {
      snapshot: current,
      seen: await machines.seenMachines(),
      serverAddress: who.localAddress ?? '',
      services,
      machines,
      loaderExists: loaderFinder(source, () => tftpboot),
    },
  )
  const inputs = await inputsForGuest(context, who, found)
  return explainBoot({ name }, inputs, { ...shown, handWritten })
}
