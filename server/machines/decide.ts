import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootDecision } from '../core/boot/decision.ts'
import type { BootPlan } from '../core/boot/plan.ts'
import {
  type BootFacts,
  type BootInputs,
  planGuest,
  planKnown,
  planUnknown,
  selectedFor,
} from '../core/boot/plan-boot.ts'
import { type OpenServices, serverUrls } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { Selected } from '../core/guest/selectors.ts'
import type { LoaderKind } from '../core/loader/loaders.ts'
import type { Requester } from '../core/net/requester.ts'
import type { MachineStates } from './boot-machines.ts'
import { byUsableAddress } from './own-requester.ts'
import { treesAsOf } from './trees-as-of.ts'

/** Where `bootInputs` takes the inputs of a decision from. */
export interface InputSources {
  readonly snapshot: Snapshot
  readonly services: OpenServices
  readonly who: Requester
  /** Left out: every guest is new, and every client sees the newest version of each tree. */
  readonly machines?: MachineStates
}

/**
 * What a decision for one requester rests on: the trees, each in the version that this client sees; the
 * guests and their states; and the URLs by which the client reaches us.
 */
export function bootInputs({ snapshot, services, who, machines }: InputSources): BootInputs {
  const { server, unknown, menuTimeoutMs } = snapshot.config
  return {
    trees: machines ? treesAsOf(snapshot.trees, machines.versionsOf(who)) : snapshot.trees,
    guests: snapshot.guests,
    selectors: snapshot.selectors,
    profiles: snapshot.profiles,
    urls: serverUrls({ services, who: byUsableAddress(who), ...defined({ configuredUrl: server.url }) }),
    unknown,
    menuTimeoutMs,
    client: who.address,
    ...(machines && { stateOf: (guest: string) => machines.stateOf(guest) }),
    ...defined({ whyNoInstall: machines?.whyNotWritable() }),
  }
}

/**
 * A plan, the guest that it is for, and one line for the log. `bootDecision` makes of it what an entry carries,
 * the `Decision` of core/boot/decision.ts.
 */
export interface Decision {
  readonly plan: BootPlan
  readonly guest?: string
  /** `install fedora-40`, `menu of 7 trees`, `local-disk: ...`, `refuse: ...`. */
  readonly summary: string
  /** Why an unknown machine gets what it gets; absent for a guest. */
  readonly selected?: Selected
}

/** What a machine boots; undefined when it is not a guest, no profile selects it and `unknown` is `ignore`. */
export function decideBoot(
  guest: Guest | undefined,
  facts: BootFacts,
  inputs: BootInputs,
): Decision | undefined {
  if (guest) return decideForGuest(guest, facts, inputs)
  const selected = selectedFor(facts, inputs)
  if (inputs.unknown === 'ignore' && selected.kind !== 'profile') return undefined
  const plan = planUnknown(facts, inputs, selected)
  const ofProfile =
    selected.kind === 'profile' ? ` of profile ${selected.selector.profile}: ${selected.by}` : ''
  const summary = summaryOf(plan)
  return { plan, summary: plan.kind === 'menu' ? `${summary}${ofProfile}` : summary, selected }
}

export function decideForGuest(guest: Guest, facts: BootFacts, inputs: BootInputs): Decision {
  const plan = planKnown(guest, facts, inputs)
  return { plan, guest: guest.name, summary: summaryOf(plan) }
}

/** The decision as the boot configuration carries it; it is stored when the configuration was sent. */
export function bootDecision(
  { plan, guest, summary }: Decision,
  facts: BootFacts,
  loader: LoaderKind,
): BootDecision {
  const offer = plan.kind === 'install' && {
    ...defined({ tree: plan.tree.id, release: plan.tree.release }),
    kernel: plan.kernel.urlPath,
  }
  return {
    kind: 'boot',
    summary,
    facts,
    loader,
    localDisk: plan.kind === 'local-disk',
    ...defined({ guest, shown: facts.shown }),
    ...(offer && { offer }),
  }
}

/**
 * A guest's plan, asked for by the guest's name. `next-boot`: what it would boot now, as loaders get it.
 * `install`: its installation, whatever its state is.
 */
export function planFor(guest: Guest, inputs: BootInputs, what: 'next-boot' | 'install'): BootPlan {
  return what === 'next-boot' ? planKnown(guest, {}, inputs) : planGuest(guest, {}, inputs)
}

function summaryOf(plan: BootPlan): string {
  switch (plan.kind) {
    case 'install':
      return `install ${plan.tree.id}`
    case 'menu':
      return `menu of ${plan.items.length} trees`
    case 'local-disk':
    case 'refuse':
      return `${plan.kind}: ${plan.why}`
  }
}
