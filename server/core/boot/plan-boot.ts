import { defined } from '../defined.ts'
import type { Guest, GuestFacts, Profile, TreeSelector, VirtType } from '../guest/guest.ts'
import type { MachineFacts } from '../guest/machine-facts.ts'
import type { GuestIndex } from '../guest/match.ts'
import { type Selected, type Selector, selectProfile } from '../guest/selectors.ts'
import { type GuestState, type Offer, pinnedOffer, whyLocalDisk } from '../guest/state.ts'
import type { Selection, TreeIndex } from '../select/select.ts'
import { canonicalArch, sameArch } from '../tree/arch.ts'
import type { Tree } from '../tree/tree.ts'
import type { BootPlan, InstallPlan, LocalDiskPlan, MenuPlan, RefusePlan, ServerUrls } from './plan.ts'
import { planTree } from './plan-tree.ts'

/** What is known of a machine that asks what to boot. */
export interface BootFacts extends GuestFacts {
  /** The virtualization that a lookup asks for; it overrides the guest's setting. */
  readonly virt?: VirtType
  /** The architecture of the machine, when its firmware tells it. */
  readonly arch?: string
  /** All that it has shown, by which selectors choose. Left out: no selector is asked. */
  readonly shown?: MachineFacts
}

/** Everything that a boot decision depends on. */
export interface BootInputs {
  readonly trees: TreeIndex
  readonly guests: GuestIndex
  readonly urls: ServerUrls
  /**
   * What machines that are not guests get (the key `unknown` of config.yaml): a menu of the ready trees, their
   * own disk, or no reply.
   */
  readonly unknown: 'menu' | 'local' | 'ignore'
  /** Which profiles unknown machines get, before `unknown` is asked. */
  readonly selectors?: readonly Selector[]
  /** Why a machine that a profile with `auto: install` selects is not made a guest now. */
  readonly whyNoGuest?: string
  /** For the settings of those profiles. */
  readonly profiles?: ReadonlyMap<string, Profile>
  /** The address that asks: its own offer comes before those of a guest's other addresses. */
  readonly client?: string
  readonly menuTimeoutMs: number
  /** The state of a guest now, without expired offers. Without this function every guest is new. */
  readonly stateOf?: (guest: string) => GuestState | undefined
  /** Why no installation of a guest may begin now: nobody could remember that it began. */
  readonly whyNoInstall?: string
  /**
   * Why a guest's installer would get no answer file that it can use. Undefined where there is one, and where nobody
   * has tried to render it.
   */
  readonly whyNoAnswerFile?: (guest: string) => string | undefined
}

/** The parts of `BootInputs` that the plan of one guest depends on. */
export type GuestInputs = Pick<
  BootInputs,
  'trees' | 'urls' | 'stateOf' | 'client' | 'whyNoInstall' | 'whyNoAnswerFile'
>

/**
 * What a machine boots. A guest boots its installer until it is installed, then its own disk; any other
 * machine boots what `unknown` says. `ignore` gives `local-disk` here: callers that can decline a request
 * must check `guests.match` first.
 */
export function planBoot(facts: BootFacts, inputs: BootInputs): BootPlan {
  const match = inputs.guests.match(facts)
  return match ? planKnown(match.guest, facts, inputs) : planUnknown(facts, inputs)
}

/** What a guest's machine boots now: what it would install, or its own disk with the reason. */
export function planKnown(
  guest: Guest,
  facts: Pick<BootFacts, 'virt' | 'arch'>,
  inputs: GuestInputs,
): InstallPlan | LocalDiskPlan | RefusePlan {
  const state = inputs.stateOf?.(guest.name)
  const decided = state && whyLocalDisk(guest, state)
  const why = decided ?? whyNotNow(guest, inputs)
  if (why === undefined) return planGuest(guest, facts, inputs)
  const mayChange = decided === undefined || state?.state === 'held'
  return { kind: 'local-disk', why, ...(mayChange && { asksAgain: true }) }
}

/** Why a guest that is to be installed boots its own disk now; undefined when it can be installed. */
export function whyNotNow(
  { name }: Guest,
  { whyNoInstall }: Pick<GuestInputs, 'whyNoInstall'>,
): string | undefined {
  return whyNoInstall === undefined ? undefined : `${name} is not installed now: ${whyNoInstall}`
}

/** The plan to install a guest, even if its machine would boot its own disk now. */
export function planGuest(
  guest: Guest,
  facts: Pick<BootFacts, 'virt' | 'arch'>,
  inputs: GuestInputs,
): InstallPlan | RefusePlan {
  const selection = selectForGuest(guest, inputs.trees, inputs.stateOf?.(guest.name), inputs.client)
  if (!selection.found) return { kind: 'refuse', why: `guest ${guest.name}: ${whyNoTree(selection)}` }
  const plan = planTree(selection.tree, {
    urls: inputs.urls,
    virt: facts.virt ?? guest.settings.virt.type.value,
    guest,
    ...archOf(selection.tree, facts.arch),
    ...defined({ whyNoAnswerFile: inputs.whyNoAnswerFile?.(guest.name) }),
  })
  return plan.kind === 'refuse' ? { kind: 'refuse', why: `guest ${guest.name}: ${plan.why}` } : plan
}

/**
 * The tree of a guest: the one that the machine at `client` is bound to, else what the guest's settings ask
 * for. None for a guest whose definition is refused, also while it is being installed.
 */
export function selectForGuest(
  guest: Guest,
  trees: TreeIndex,
  state?: GuestState,
  client?: string,
): Selection {
  if (guest.refused !== undefined) return { found: false, why: guest.refused, nearest: [] }
  const pinned = state && pinnedOffer(guest, state, client)
  const tree = pinned && boundTree(pinned, trees)
  if (tree?.state === 'ready') return { found: true, tree, others: [] }
  // While a machine is being installed, it must not get another tree than the one it began with. Before that,
  // the tree that its settings ask for will do.
  if (pinned !== undefined && state?.state === 'installing') {
    const why = `tree ${pinned.tree}, which it is being installed from, is ${tree?.state ?? 'gone'}`
    return { found: false, why, nearest: [] }
  }
  const wanted: TreeSelector | undefined = guest.settings.tree?.value
  if (wanted) return trees.select(wanted)
  const why = `it has no tree; give it or one of its profiles a "tree:" (${guest.definedAt})`
  return { found: false, why, nearest: [] }
}

/** The tree of an offer: in the version that was offered, or in the current version if that was deleted. */
function boundTree({ tree, release }: Offer, trees: TreeIndex): Tree | undefined {
  return (release && trees.inVersion(tree, release)) ?? trees.byId(tree)
}

/** Why no tree was selected, with the nearest trees. */
export function whyNoTree(selection: Extract<Selection, { found: false }>): string {
  if (selection.nearest.length === 0) return selection.why
  return `${selection.why}; nearest: ${selection.nearest.map((tree) => tree.id).join(', ')}`
}

/**
 * The machine's arch, if the tree has a platform for it. If not, the tree's own is used: an x86_64 machine
 * boots an i386 tree, although its firmware says x86_64.
 */
export function archOf(tree: Tree, arch: string | undefined): { arch?: string } {
  if (arch === undefined) return {}
  return Object.keys(tree.platforms).some((platform) => sameArch(platform, arch)) ? { arch } : {}
}

/** What the selectors say of a machine that is not a guest. */
export function selectedFor({ shown }: BootFacts, { selectors = [] }: BootInputs): Selected {
  return shown ? selectProfile(shown, selectors) : { kind: 'none' }
}

/** The plan for a machine that is not a guest: that of the profile which selects it, else what `unknown` says. */
export function planUnknown(
  facts: BootFacts,
  inputs: BootInputs,
  selected = selectedFor(facts, inputs),
): BootPlan {
  if (selected.kind === 'profile') {
    const { profile, auto } = selected.selector
    if (auto === 'menu') return menuOf(facts, inputs, profile)
    return { kind: 'local-disk', why: whyDiskOf(profile, selected.by, auto === 'install', inputs) }
  }
  if (inputs.unknown === 'menu') return menuOf(facts, inputs)
  return {
    kind: 'local-disk',
    why:
      inputs.unknown === 'local'
        ? 'this machine is not a guest; it boots its own disk'
        : 'this machine is not a guest',
  }
}

function whyDiskOf(
  profile: string,
  by: string,
  ...[installs, { whyNoGuest }]: [boolean, BootInputs]
): string {
  if (!installs) return `this machine is not a guest; profile ${profile} has ${by} boot from its own disk`
  const why = whyNoGuest ?? 'only a boot of it decides that'
  return `profile ${profile} installs ${by}, and this machine is not made a guest: ${why}`
}

type MenuItem = MenuPlan['items'][number]

/** A menu of all ready trees that the machine can run, in the order of their ids; before them that of the profile. */
function menuOf(facts: BootFacts, inputs: BootInputs, profile?: string): MenuPlan {
  const first = profile === undefined ? undefined : itemOfProfile(profile, facts, inputs)
  const others = inputs.trees.all
    .filter((tree) => tree.state === 'ready' && canRun(facts.arch, tree) && tree.id !== first?.plan.tree.id)
    .map((tree) => ({
      label: labelOf(tree),
      plan: planTree(tree, { urls: inputs.urls, virt: facts.virt ?? 'hvm', ...archOf(tree, facts.arch) }),
    }))
    .filter((item): item is MenuItem => item.plan.kind === 'install')
  return {
    kind: 'menu',
    title: 'treeboot: what shall this machine boot?',
    items: first ? [first, ...others] : others,
    timeoutMs: inputs.menuTimeoutMs,
  }
}

/**
 * The tree of a profile with its arguments and its source. It has no answer file: that is made for a guest, with a token
 * of its own, and erases disks without asking. Whoever chooses from a menu is asked by the installer.
 */
function itemOfProfile(name: string, facts: BootFacts, inputs: BootInputs): MenuItem | undefined {
  const profile = inputs.profiles?.get(name)
  const wanted = profile?.settings.tree
  const selection = wanted && inputs.trees.select(wanted.value)
  if (!profile || !selection?.found || !canRun(facts.arch, selection.tree)) return undefined
  const { template: _, network: __, ...settings } = profile.settings
  // Without the vars, of which some make a network.
  const guest: Guest = { ...profile, macs: [], profiles: [name], settings: { ...settings, vars: {} } }
  const { tree } = selection
  const planned = planTree(tree, {
    urls: inputs.urls,
    virt: facts.virt ?? 'hvm',
    guest,
    ...archOf(tree, facts.arch),
  })
  if (planned.kind !== 'install') return undefined
  const { guest: ___, ...plan } = planned
  return { label: `${name}: ${labelOf(tree)}`, plan }
}

function canRun(arch: string | undefined, tree: Tree): boolean {
  if (arch === undefined || sameArch(arch, tree.arch)) return true
  // Also x86_64_v2 and v3: firmware tells only x86_64.
  if (sameArch(arch, 'x86_64')) return /^(x86_64|i386)/.test(canonicalArch(tree.arch))
  return Object.keys(tree.platforms).some((platform) => sameArch(platform, arch))
}

function labelOf(tree: Tree): string {
  const name = [tree.family, tree.version, tree.variant, tree.arch].filter((part) => part !== '').join(' ')
  return name === '' || name === tree.id ? tree.id : `${name} (${tree.id})`
}
