import { z } from 'zod'
import type { Snapshot } from '../../catalog/snapshot.ts'
import { explainBoot } from '../../core/boot/explain.ts'
import { Failure } from '../../core/failure.ts'
import type { Guest } from '../../core/guest/guest.ts'
import type { GuestState } from '../../core/guest/state.ts'
import type { Requester } from '../../core/net/requester.ts'
import { diskSource } from '../../files/disk.ts'
import { planFor } from '../../machines/decide.ts'
import { knownOfMachine } from '../../machines/explain-machine.ts'
import type { Order } from '../../machines/history.ts'
import { handWrittenFor } from '../../namespace/hand-written.ts'
import { loaderFinder } from '../../namespace/host-loaders.ts'
import { loaderOptions, planAs } from '../../namespace/render-boot.ts'
import { formatContentType, renderPlan } from '../../render/render.ts'
import { format } from '../input.ts'
import { type ApiContext, inputsForGuest, type Reply } from '../route.ts'
import type { ExplainedStep, GuestDetail, StoryStep } from '../types.ts'
import { guestSummary, stepView } from '../views.ts'

export const guestParams = z.object({ name: z.string() })
export const planQuery = z.object({ as: format })

interface GuestCall {
  readonly params: z.output<typeof guestParams>
  readonly who: Requester
}

/** @throws Failure `not-found` */
export function guestNamed({ guests }: Snapshot, name: string): Guest {
  const guest = guests.byName(name)
  if (!guest) throw new Failure('not-found', `no guest ${name}; guests are defined in config.yaml`)
  return guest
}

export function list(_: unknown, { snapshot, machines, guestSummaries }: ApiContext): Reply {
  const text = guestSummaries.json(snapshot(), (guest) => machines.stateOf(guest))
  return { headers: { 'Content-Type': 'application/json; charset=utf-8' }, text }
}

export async function show({ params, who }: GuestCall, context: ApiContext): Promise<Reply> {
  const guest = guestNamed(context.snapshot(), params.name)
  return { json: await detailOf(guest, context.machines.stateOf(guest.name), who, context) }
}

async function detailOf(
  guest: Guest,
  state: GuestState | undefined,
  who: Requester,
  context: ApiContext,
): Promise<GuestDetail> {
  const plan = planFor(guest, await inputsForGuest(context, who, guest), 'next-boot')
  const summary = guestSummary(guest, context.snapshot().trees, state)
  return { ...summary, nextBoot: { plan: plan.kind, why: 'why' in plan ? plan.why : null } }
}

export async function explain({ params, who }: GuestCall, context: ApiContext): Promise<Reply> {
  const current = context.snapshot()
  const guest = guestNamed(current, params.name)
  const { name } = guest
  const handWritten = await handWrittenFor(
    diskSource(current.config.paths.tftpboot),
    { name },
    current.guests,
  )
  const { machines, services, source } = context
  const shown = await knownOfMachine(
    { name },
    {
      snapshot: current,
      seen: await machines.seenMachines(),
      serverAddress: who.localAddress ?? '',
      services,
      machines,
      loaderExists: loaderFinder(source, () => current.config.paths.tftpboot),
    },
  )
  const known = { ...shown, handWritten }
  const inputs = await inputsForGuest(context, who, guest)
  const json: readonly ExplainedStep[] = explainBoot({ name }, inputs, known)
  return { json }
}

export async function plan(
  { params, query, who }: GuestCall & { query: z.output<typeof planQuery> },
  context: ApiContext,
): Promise<Reply> {
  const guest = guestNamed(context.snapshot(), params.name)
  const inputs = await inputsForGuest(context, who, guest)
  const text = renderPlan(planAs(guest, query.as, inputs), query.as, loaderOptions(who, inputs))
  return { headers: { 'Content-Type': formatContentType(query.as) }, text }
}

export async function story({ params }: GuestCall, { snapshot, machines }: ApiContext): Promise<Reply> {
  const { name } = guestNamed(snapshot(), params.name)
  const json: readonly StoryStep[] = (await machines.history(name)).map(stepView)
  return { json }
}

export function install(call: GuestCall, context: ApiContext): Promise<Reply> {
  return order({ type: 'install-once' }, call, context)
}

export function keepLocal(call: GuestCall, context: ApiContext): Promise<Reply> {
  return order({ type: 'local' }, call, context)
}

async function order(wanted: Order, { params, who }: GuestCall, context: ApiContext): Promise<Reply> {
  const guest = guestNamed(context.snapshot(), params.name)
  const state = await context.machines.order(guest.name, wanted)
  return { json: await detailOf(guest, state, who, context) }
}
