import type { Guest, TreeSelector } from '../guest/guest.ts'
import { type GuestState, type Offer, pinnedOffer, whyLocalDisk } from '../guest/state.ts'
import type { Tree } from '../tree/tree.ts'
import { formatKernelArg } from './kernel-args.ts'
import {
  archOf,
  type BootFacts,
  type BootInputs,
  planBoot,
  selectForGuest,
  whyNoTree,
  whyNotNow,
} from './plan-boot.ts'
import { planTreeWithReasons, type TreePlanning } from './plan-tree.ts'

/** One step of a decision: what was decided, the result, and the rule or place that decided it. */
export interface Explanation {
  /** `guest`, `tree`, `platform`, `kernel`, `argument`, ... */
  readonly what: string
  readonly value: string
  readonly from: string
}

/**
 * Explains what a machine boots: the decisions of `planBoot` one by one, then the hand-written boot
 * configurations, which win over any plan.
 */
export function explainBoot(
  facts: BootFacts,
  inputs: BootInputs,
  handWritten: readonly string[] = [],
): Explanation[] {
  const byHand = handWritten.map((file) => ({
    what: 'by hand',
    value: file,
    from: 'a machine that asks for this name gets this file, whatever its plan is',
  }))
  return [...explainPlan(facts, inputs), ...byHand]
}

function explainPlan(facts: BootFacts, inputs: BootInputs): Explanation[] {
  const match = inputs.guests.match(facts)
  if (!match) return explainUnknown(facts, inputs)
  const { guest, by } = match
  const lines: Explanation[] = [
    { what: 'guest', value: guest.name, from: `matched by ${by}, defined at ${guest.definedAt}` },
    ...guest.profiles.map((name) => ({ what: 'profile', value: name, from: 'inherited, nearest first' })),
    ...settings(guest),
  ]
  const state = inputs.stateOf?.(guest.name)
  lines.push({ what: 'state', value: state?.state ?? 'install', from: stateFrom(guest, state) })
  // Without `inputs.client`: that is the operator who asks, and not the guest's machine.
  const selection = selectForGuest(guest, inputs.trees, state)
  const rule = guest.settings.tree?.from ?? guest.definedAt
  if (!selection.found) return [...lines, { what: 'plan', value: 'refuse', from: whyNoTree(selection) }]
  const { tree, others } = selection
  const wanted = guest.settings.tree && selectorText(guest.settings.tree.value)
  const among = others.length > 0 ? `, chosen before ${others.map((other) => other.id).join(', ')}` : ''
  const bound = state && boundText(pinnedOffer(guest, state), tree)
  lines.push({
    what: 'tree',
    value: tree.id,
    from: `${wanted ?? 'no tree'} by ${rule}${among}${bound ?? ''}`,
  })
  const planning = planTreeWithReasons(tree, {
    urls: inputs.urls,
    virt: facts.virt ?? guest.settings.virt.type.value,
    guest,
    ...archOf(tree, facts.arch),
  })
  const disk = (state && whyLocalDisk(guest, state)) ?? whyNotNow(guest, inputs)
  const planLines = explainPlanning(planning)
  if (disk === undefined) return [...lines, ...planLines]
  // The last line is the plan to install, which a boot from disk replaces.
  return [...lines, ...planLines.slice(0, -1), { what: 'plan', value: 'local-disk', from: disk }]
}

function boundText(offer: Offer | undefined, { id, release }: Tree): string {
  if (offer?.tree !== id) return ''
  const version = release && `, in version ${release.version} since ${new Date(offer.firstMs).toISOString()}`
  return `, bound until its installation ends${version ?? ''}`
}

function stateFrom(guest: Guest, state: GuestState | undefined): string {
  if (!state || state.sinceMs === 0) return 'a new guest: its first boot installs it'
  const since = `since ${new Date(state.sinceMs).toISOString()}`
  return state.state === 'installing' && guest.settings.retry.value
    ? `${since}; retry: a reboot starts again`
    : since
}

function settings({ settings }: Guest): Explanation[] {
  const { template, source, virt } = settings
  return [
    { what: 'source', value: source.value, from: source.from },
    { what: 'virt', value: `${virt.hypervisor.value} ${virt.type.value}`, from: virt.type.from },
    template
      ? { what: 'template', value: template.value, from: template.from }
      : { what: 'template', value: 'none', from: 'no guest or profile setting: the installer will ask' },
  ]
}

function explainPlanning({ plan, args, platform }: TreePlanning): Explanation[] {
  const lines: Explanation[] = []
  if (platform.found) lines.push({ what: 'platform', value: platform.platform, from: platform.why })
  if (plan.kind === 'install') {
    const size = (bytes: number | undefined): string =>
      bytes === undefined ? 'size unknown' : `${bytes} bytes`
    lines.push({ what: 'kernel', value: plan.kernel.urlPath, from: size(plan.kernel.size) })
    lines.push({ what: 'initrd', value: plan.initrd.urlPath, from: size(plan.initrd.size) })
    lines.push({
      what: 'location',
      value: plan.location,
      from: 'the URL of the tree as this client reaches it',
    })
    if (plan.answerFile !== undefined)
      lines.push({ what: 'answers', value: plan.answerFile, from: 'the guest has a template' })
  }
  for (const arg of args)
    lines.push({
      what: arg.overruledBy === undefined ? 'argument' : 'dropped argument',
      value: safeArg(arg.value),
      from: arg.overruledBy === undefined ? arg.from : `${arg.from}, overruled by ${arg.overruledBy}`,
    })
  const why = plan.kind === 'refuse' ? plan.why : 'it is a guest with a tree'
  lines.push({ what: 'plan', value: plan.kind, from: why })
  return lines
}

function explainUnknown(facts: BootFacts, inputs: BootInputs): Explanation[] {
  const plan = planBoot(facts, inputs)
  const value = plan.kind === 'menu' ? `menu of ${plan.items.length} trees` : plan.kind
  return [
    { what: 'guest', value: 'none', from: 'no guest has this name, UUID, serial, MAC or address' },
    { what: 'plan', value, from: `unknown: ${inputs.unknown}` },
  ]
}

export function selectorText(selector: TreeSelector): string {
  if ('id' in selector) return `id ${selector.id}`
  const traits = Object.entries(selector).filter(([, value]) => value !== undefined && value !== '')
  return traits.map(([key, value]) => `${key}=${value}`).join(' ') || 'any tree'
}

/**
 * An argument as text, or as JSON if no command line can hold it. It never throws, because people need
 * `explain` most when no plan can be made.
 */
function safeArg(arg: { key: string; value?: string }): string {
  try {
    return formatKernelArg(arg)
  } catch {
    return JSON.stringify(arg)
  }
}
