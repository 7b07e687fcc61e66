import type { BootPlan } from '../core/boot/plan.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import { canonicalIp } from '../core/net/address.ts'
import type { Requester } from '../core/net/requester.ts'
import { planFor } from '../machines/decide.ts'
import type { RenderOptions } from '../render/options.ts'
import { type Format, isForLoaders, renderPlan } from '../render/render.ts'

/** How a plan is written for the loader that asks. `folder` is the one that it takes for its own. */
export function loaderOptions(who: Requester, { urls }: BootInputs, folder = ''): RenderOptions {
  const { protocol, localAddress } = who
  const local = localAddress === undefined ? undefined : canonicalIp(localAddress)
  const address = local?.includes('.') ? local : undefined
  return {
    via: protocol === 'http' ? 'http' : 'tftp',
    loaderFolder: folder,
    server: { http: urls.http, ...defined({ address }) },
  }
}

/**
 * A guest's plan for a format. Loaders, and people who ask for the plan as JSON, get what is its turn; a description of
 * a machine or a command is asked for by somebody who wants to install, whatever the guest's state.
 */
export function planAs(guest: Guest, as: Format, inputs: BootInputs): BootPlan {
  const isTurn = as === 'json' || isForLoaders(as)
  return planFor(guest, inputs, isTurn ? 'turn' : 'install')
}

/**
 * For a loader: a plan that cannot be written in its language becomes one that says so on the machine's screen. A
 * menu loses only the items that cannot be written.
 */
export function renderForLoader(plan: BootPlan, as: Format, options: RenderOptions): string {
  const written = tryToRender(plan, as, options)
  if (typeof written === 'string') return written
  if (plan.kind !== 'menu') return renderPlan({ kind: 'refuse', why: written.message }, as, options)
  const items = plan.items.filter((item) => typeof tryToRender(item.plan, as, options) === 'string')
  return renderPlan({ ...plan, items }, as, options)
}

function tryToRender(plan: BootPlan, as: Format, options: RenderOptions): string | Failure {
  try {
    return renderPlan(plan, as, options)
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}
