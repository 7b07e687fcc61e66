import type { BootPlan } from '../core/boot/plan.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import { fileBase } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { Guest } from '../core/guest/guest.ts'
import { canonicalIp } from '../core/net/address.ts'
import type { Requester } from '../core/net/requester.ts'
import { planFor } from '../machines/decide.ts'
import type { RenderOptions } from '../render/options.ts'
import { type Format, isForLoaders, renderPlan } from '../render/render.ts'

/**
 * How a plan is written for the client that asks. `folder` is the folder from which the loader asks for its
 * files.
 */
export function loaderOptions(who: Requester, { urls }: BootInputs, folder = ''): RenderOptions {
  const { protocol, localAddress } = who
  const local = localAddress === undefined ? undefined : canonicalIp(localAddress)
  const ipv4 = local?.includes('.') ? local : undefined
  return {
    via: protocol === 'http' ? 'http' : 'tftp',
    loaderFolder: folder,
    server: { http: fileBase(urls), ...defined({ address: ipv4 }) },
  }
}

/**
 * A guest's plan in the sense of a format. Formats for loaders, and JSON, show what the guest would boot now.
 * A command or a machine description (virt-install, QEMU, ...) is for installing the guest, so it shows the
 * installation, whatever the guest's state is.
 */
export function planAs(guest: Guest, as: Format, inputs: BootInputs): BootPlan {
  const isNextBoot = as === 'json' || isForLoaders(as)
  return planFor(guest, inputs, isNextBoot ? 'next-boot' : 'install')
}

/**
 * Renders a plan for a loader. When the loader's language cannot express the plan, the machine's screen shows
 * why. A menu loses only the items that cannot be expressed.
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
