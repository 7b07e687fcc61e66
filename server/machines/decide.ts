import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootPlan } from '../core/boot/plan.ts'
import { type BootFacts, type BootInputs, planBoot, planGuest, planKnown } from '../core/boot/plan-boot.ts'
import { type OpenServices, serverUrls } from '../core/boot/urls.ts'
import { Failure } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import { canonicalIp } from '../core/net/address.ts'
import type { Requester } from '../core/net/requester.ts'
import type { RenderOptions } from '../render/options.ts'
import { type Format, isForLoaders, renderPlan } from '../render/render.ts'
import { treesAsOf } from './trees-as-of.ts'
import type { TreeViews } from './views.ts'

/**
 * The world as one requester sees it: the snapshot of this moment, with each tree in the version that it is in the middle of, the URLs by which this client reaches us, and what is
 * remembered of the guests.
 */
export function bootInputs(
  snapshot: Snapshot,
  services: OpenServices,
  who: Requester,
  stateOf?: BootInputs['stateOf'],
  views?: Pick<TreeViews, 'of'>,
): BootInputs {
  const { server, unknown, menuTimeoutMs } = snapshot.config
  const configured = server.url === undefined ? {} : { configuredUrl: server.url }
  return {
    trees: views ? treesAsOf(snapshot.trees, views.of(who)) : snapshot.trees,
    guests: snapshot.guests,
    urls: serverUrls({ ...configured, services, who }),
    unknown,
    menuTimeoutMs,
    ...(stateOf && { stateOf }),
  }
}

/** How a plan is written for the loader that asks. `folder` is the one that it takes for its own. */
export function loaderOptions(who: Requester, { urls }: BootInputs, folder = ''): RenderOptions {
  const { protocol, localAddress } = who
  const address = localAddress === undefined ? undefined : canonicalIp(localAddress)
  return {
    via: protocol === 'http' ? 'http' : 'tftp',
    loaderFolder: folder,
    server: { http: urls.http, ...(address?.includes('.') && { address }) },
  }
}

/** A plan, for whom, and why in one line for the log. */
export interface Decision {
  readonly plan: BootPlan
  readonly guest?: string
  /** `install fedora-40`, `menu of 7 trees`, `local-disk: ...`, `refuse: ...`. */
  readonly summary: string
}

/** What a machine boots; undefined for one that we do not know while such machines are to be ignored. */
export function decideFor(facts: BootFacts, inputs: BootInputs): Decision | undefined {
  const guest = inputs.guests.match(facts)?.guest
  if (guest) return decideForGuest(guest, facts, inputs)
  if (inputs.unknown === 'ignore') return undefined
  const plan = planBoot(facts, inputs)
  return { plan, summary: summaryOf(plan) }
}

export function decideForGuest(guest: Guest, facts: BootFacts, inputs: BootInputs): Decision {
  const plan = planKnown(guest, facts, inputs)
  return { plan, guest: guest.name, summary: summaryOf(plan) }
}

/**
 * A guest's plan for a format. Loaders, and people who ask for the plan as such, get what is its turn; a description of
 * a machine or a command is asked for by somebody who wants to install, whatever the guest's state.
 */
export function planAs(guest: Guest, as: Format, inputs: BootInputs): BootPlan {
  const isTurn = as === 'json' || isForLoaders(as)
  return isTurn ? planKnown(guest, {}, inputs) : planGuest(guest, {}, inputs)
}

function summaryOf(plan: BootPlan): string {
  switch (plan.kind) {
    case 'install':
      return `install ${plan.tree.id}`
    case 'menu':
      return `menu of ${plan.items.length} trees`
    case 'chainload':
      return `chainload ${plan.target}`
    case 'local-disk':
    case 'refuse':
      return `${plan.kind}: ${plan.why}`
  }
}

/**
 * For a loader: a plan that cannot be written in its language becomes one that says so on the machine's screen. A
 * menu loses only the items that cannot be written.
 */
export function renderForLoader(plan: BootPlan, as: Format, options: RenderOptions): string {
  const failure = trial(plan, as, options)
  if (typeof failure === 'string') return failure
  if (plan.kind !== 'menu') return renderPlan({ kind: 'refuse', why: failure.message }, as, options)
  const items = plan.items.filter((item) => typeof trial(item.plan, as, options) === 'string')
  return renderPlan({ ...plan, items }, as, options)
}

function trial(plan: BootPlan, as: Format, options: RenderOptions): string | Failure {
  try {
    return renderPlan(plan, as, options)
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}
