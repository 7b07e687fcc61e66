import { starredArg } from '../access/starred.ts'
import { defined } from '../defined.ts'
import { shippedTemplate } from '../distro/distro.ts'
import type { Guest, Sourced, TreeSelector } from '../guest/guest.ts'
import { factsOfSeen, type MachineFacts, machineFacts } from '../guest/machine-facts.ts'
import { addressText, interfaceLabel, type NetworkInterface } from '../guest/network.ts'
import { networkOf } from '../guest/resolve-network.ts'
import type { UnknownMachine } from '../guest/seen-machine.ts'
import { type Selected, waitsText } from '../guest/selectors.ts'
import { type GuestState, mayRetry, type Offer, pinnedOffer, whyHeld, whyLocalDisk } from '../guest/state.ts'
import type { Tree } from '../tree/tree.ts'
import { type Firmware, firmwareNamed, uefiCpu } from './firmware.ts'
import { formatKernelArg } from './kernel-args.ts'
import { memoryOf, whyTooSmall } from './memory.ts'
import {
  archOf,
  type BootFacts,
  type BootInputs,
  planUnknown,
  selectedFor,
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

/** What a machine with some firmware is offered by DHCP. */
export interface LoaderExplanation {
  readonly firmware: Firmware
  /** The path or URL of the loader; undefined when it gets no reply. */
  readonly file?: string
  readonly why: string
}

/** What is known of the machine beside the plan. */
export interface KnownOfMachine {
  /** Names of boot configurations that the operator wrote for it. */
  readonly handWritten?: readonly string[]
  /** What it showed when it asked for network boot; `never` for a machine that never did. */
  readonly seen?: UnknownMachine | 'never'
  /** For the firmware that it showed, or for each that it may have. */
  readonly loaders?: readonly LoaderExplanation[]
  /** Why it gets none, when its kind of machine has none at all. */
  readonly whyNoLoader?: string
  /** Whether treeboot answers DHCP at all. */
  readonly isProxy?: boolean
}

/**
 * Explains what a machine boots: the decisions of `planBoot` one by one, then the hand-written boot
 * configurations, which win over any plan.
 */
export function explainBoot(facts: BootFacts, inputs: BootInputs, known: KnownOfMachine = {}): Explanation[] {
  const byHand = (known.handWritten ?? []).map((file) => ({
    what: 'by hand',
    value: file,
    from: 'a machine that asks for this name gets this file, whatever its plan is',
  }))
  return [...explainPlan(facts, inputs, known), ...byHand]
}

function explainPlan(facts: BootFacts, inputs: BootInputs, known: KnownOfMachine): Explanation[] {
  const match = inputs.guests.match(facts)
  if (!match) return explainUnknown(facts, inputs, known)
  const { guest, by } = match
  const state = inputs.stateOf?.(guest.name)
  // Without `inputs.client`: that is the operator who asks, and not the guest's machine.
  const selection = selectForGuest(guest, inputs.trees, state)
  const lines: Explanation[] = [
    { what: 'guest', value: guest.name, from: `matched by ${by}, defined at ${guest.definedAt}` },
    ...guest.profiles.map((name) => ({ what: 'profile', value: name, from: 'inherited, nearest first' })),
    ...settings(guest, selection.found ? selection.tree : undefined),
    ...explainSeen(known),
    ...explainLoaders(known),
  ]
  lines.push({ what: 'state', value: state?.state ?? 'install', from: stateFrom(guest, state) })
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
    ...defined({ whyNoAnswerFile: inputs.whyNoAnswerFile?.(guest.name) }),
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
  if (state?.state === 'held' && state.sinceMs === 0)
    return `${state.hold === undefined ? '' : 'the next start of the server holds it: '}${whyHeld(state)}`
  if (!state || state.sinceMs === 0) return 'a new guest: its first boot installs it'
  const since = `since ${new Date(state.sinceMs).toISOString()}`
  return state.state === 'installing' && mayRetry(guest, state)
    ? `${since}; retry: a reboot starts again`
    : since
}

/** Of a variable only the name is shown: it may be a password, and the API tells this to anyone. */
function settings(guest: Guest, tree: Tree | undefined): Explanation[] {
  const { template, source, virt, retry, loader, loaderFrom, vars } = guest.settings
  const line = (what: string, { value, from }: Sourced<string | number | boolean>): Explanation => ({
    what,
    value: String(value),
    from,
  })
  const { hypervisor, type, ...shape } = virt
  return [
    line('source', source),
    { what: 'virt', value: `${hypervisor.value} ${type.value}`, from: type.from },
    ...Object.entries(shape).map(([key, set]) => line(`virt.${key}`, set)),
    line('retry', retry),
    ...(loader ? [line('loader wanted', loader)] : []),
    ...(loaderFrom ? [line('loader-from', loaderFrom)] : []),
    template ? line('template', template) : { what: 'template', value: 'none', from: whyNoTemplate(tree) },
    ...networkLines(guest),
    ...Object.entries(vars).map(([name, { from }]) => ({ what: 'var', value: name, from })),
  ]
}

function whyNoTemplate(tree: Tree | undefined): string {
  const why = 'no guest or profile setting: the installer will ask'
  const shipped = tree && shippedTemplate(tree.distro, tree.version)
  return shipped === undefined ? why : `${why}; ${shipped} is the shipped template for it`
}

/** The interfaces, name servers and search domains that the configuration says, each with its origin. */
function networkLines(guest: Guest): Explanation[] {
  const network = networkOf(guest)
  if (!network) return []
  const { nameservers, search } = guest.settings.network ?? {}
  const list = (name: string, values: readonly string[], from = network.from): Explanation[] =>
    values.length === 0 ? [] : [{ what: 'network', value: `${name} ${values.join(', ')}`, from }]
  return [
    ...network.interfaces.map((each) => ({
      what: 'network',
      value: interfaceText(each),
      from: network.from,
    })),
    ...list('name servers', network.nameservers, nameservers?.from),
    ...list('search', network.search, search?.from),
  ]
}

function interfaceText(each: NetworkInterface): string {
  const { name, mac, vlan, bond } = each
  const made = [
    ...(vlan ? [`VLAN ${vlan.id} on ${vlan.parent}`] : []),
    ...(bond ? [`bond of ${bond.members.join(', ')} (${bond.mode})`] : []),
    ...(name !== undefined && mac !== undefined ? [mac] : []),
  ]
  return `${interfaceLabel(each)}: ${[...made, addressText(each)].join(', ')}`
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
    if (plan.memoryNeeded > 0)
      lines.push({
        what: 'memory',
        value: `${memoryOf(plan)} MiB`,
        from:
          whyTooSmall(plan) ?? `a virtual machine needs ${plan.memoryNeeded} for what is loaded into memory`,
      })
    for (const { what, why } of plan.doubts) lines.push({ what: 'warning', value: what, from: why })
    if (plan.answerFile !== undefined)
      lines.push({ what: 'answers', value: plan.answerFile, from: 'the guest has a template' })
  }
  for (const arg of args)
    lines.push({
      what: arg.overruledBy === undefined ? 'argument' : 'dropped argument',
      value: safeArg(starredArg(arg.value)),
      from: arg.overruledBy === undefined ? arg.from : `${arg.from}, overruled by ${arg.overruledBy}`,
    })
  const why = plan.kind === 'refuse' ? plan.why : 'it is a guest with a tree'
  lines.push({ what: 'plan', value: plan.kind, from: why })
  return lines
}

function explainUnknown(facts: BootFacts, inputs: BootInputs, known: KnownOfMachine): Explanation[] {
  const asking = { ...facts, shown: shownFacts(facts, known), ...defined({ arch: archShown(known) }) }
  const selected = selectedFor(asking, inputs)
  const plan = planUnknown(asking, inputs, selected)
  const value = plan.kind === 'menu' ? `menu of ${plan.items.length} trees` : plan.kind
  const rule =
    selected.kind === 'profile'
      ? `auto: ${selected.selector.auto} of profile ${selected.selector.profile}`
      : `unknown: ${inputs.unknown}`
  const [loader] = known.loaders ?? []
  // Nothing of ours reaches a machine that gets no loader, unless another DHCP server sends it one.
  const hasNone = known.whyNoLoader !== undefined || (loader !== undefined && loader.file === undefined)
  const isStranded = known.isProxy && known.seen !== 'never' && hasNone
  return [
    { what: 'guest', value: 'none', from: 'no guest has this name, UUID, serial, MAC or address' },
    ...explainSelected(selected),
    ...explainSeen(known),
    ...explainLoaders(known),
    isStranded
      ? { what: 'plan', value: 'nothing', from: `it gets no loader; with one: ${value}, ${rule}` }
      : { what: 'plan', value, from: rule },
  ]
}

/** All that is known of an unknown machine: what it showed when it was here last, or what is asked about. */
function shownFacts({ macs, uuid }: BootFacts, { seen }: KnownOfMachine): MachineFacts {
  return typeof seen === 'object' ? factsOfSeen(seen) : machineFacts({ macs, uuid })
}

function explainSelected(selected: Selected): Explanation[] {
  if (selected.kind === 'none') return []
  if (selected.kind === 'tie') {
    const from = `${selected.profiles.join(' and ')} select it by ${selected.by}, and neither is more particular`
    return [{ what: 'profile', value: 'none', from }]
  }
  const { profile, definedAt } = selected.selector
  const waits = selected.waits.size > 0 ? `; another may, when it shows its ${waitsText(selected.waits)}` : ''
  const from = `selects it by ${selected.by}, defined at ${definedAt}${waits}`
  return [{ what: 'profile', value: profile, from }]
}

/** A menu has only the trees that the machine can run. A BIOS does not say what it can. */
function archShown({ seen }: KnownOfMachine): string | undefined {
  const firmware = typeof seen === 'object' ? firmwareNamed(seen.firmware ?? '') : undefined
  return firmware && uefiCpu(firmware)
}

function explainSeen({ seen }: KnownOfMachine): Explanation[] {
  if (seen === undefined) return []
  if (seen === 'never')
    return [{ what: 'seen', value: 'never', from: 'it has not asked treeboot for network boot, or long ago' }]
  const { firmware = 'firmware unknown', address, lastMs, count } = seen
  const at = address === undefined ? '' : ` at ${address}`
  return [
    {
      what: 'seen',
      value: firmware,
      from: `${new Date(lastMs).toISOString()}${at}; asked ${count === 1 ? 'once' : `${count} times`}`,
    },
  ]
}

/** Where treeboot does not answer DHCP itself. */
export const namedByAnother = 'dhcp.mode is off, so your DHCP server has to name it'

function explainLoaders({ loaders = [], whyNoLoader, isProxy, seen }: KnownOfMachine): Explanation[] {
  if (whyNoLoader !== undefined) return [{ what: 'loader', value: 'none', from: whyNoLoader }]
  const isShown = typeof seen === 'object' && seen.firmware !== undefined
  return loaders.map(({ firmware, file, why }) => {
    const when = isShown ? '' : `if it is ${firmware}: `
    const by = isProxy ? '' : `; ${namedByAnother}`
    const value = file === '' ? 'by fixed names' : (file ?? 'none')
    return { what: 'loader', value, from: `${when}${isShown ? `${firmware}: ` : ''}${why}${by}` }
  })
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
