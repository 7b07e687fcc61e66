import type { BootPlan } from '../core/boot/plan.ts'
import { selectForGuest } from '../core/boot/plan-boot.ts'
import { defined } from '../core/defined.ts'
import type { Guest } from '../core/guest/guest.ts'
import { factsOfSeen } from '../core/guest/machine-facts.ts'
import { shownOrNull, type UnknownMachine } from '../core/guest/seen-machine.ts'
import { type Selected, type Selector, selectProfile } from '../core/guest/selectors.ts'
import { type GuestState, type HistoryEntry, type HistoryKind, newState } from '../core/guest/state.ts'
import type { TreeIndex } from '../core/select/select.ts'
import { timeText } from '../core/time-text.ts'
import { neededFileText } from '../core/tree/description.ts'
import type { Tree } from '../core/tree/tree.ts'
import type {
  GuestDetail,
  GuestSummary,
  StoryStep,
  TreeDetail,
  TreeSummary,
  UnknownMachineView,
} from './types.ts'

export { timeText }

/** Converts our own values to the JSON that the API sends and the commands print with `--json`. */

export function treeSummary(tree: Tree): TreeSummary {
  const { id, reasons, family, distro, version, variant, arch, era } = tree
  return {
    id,
    state: shownState(tree),
    reasons,
    family,
    distro,
    version,
    variant,
    arch,
    era,
    origin: tree.origin.kind,
    platforms: Object.keys(tree.platforms),
    problems: tree.problems.length,
  }
}

/** The state for people and programs: a tree is called ready only if it was verified. */
export function shownState({ state, unverified }: Tree): TreeSummary['state'] {
  return unverified ? 'not verified' : state
}

/** Everything that is known about one tree, except the path of its folder or image on our disk. */
export function treeDetail(tree: Tree): TreeDetail {
  const { origin, checksums, release, missing, unverified: _, ...rest } = tree
  const published = release && { id: release.id, version: release.version }
  const texts = Object.entries(checksums).map(([path, { algorithm, hex }]) => [path, `${algorithm}:${hex}`])
  return {
    ...rest,
    ...defined({ release: published, missing: missing && neededFileText(missing) }),
    origin: origin.kind,
    checksums: Object.fromEntries(texts),
  }
}

export function guestSummary(guest: Guest, trees: TreeIndex, state?: GuestState): GuestSummary {
  const selection = selectForGuest(guest, trees, state)
  return {
    name: guest.name,
    state: state?.state ?? 'install',
    since: state && state.sinceMs > 0 ? timeText(state.sinceMs) : null,
    failure: state?.failure ?? null,
    hold: state?.hold ?? null,
    macs: guest.macs,
    uuid: guest.uuid ?? null,
    serial: guest.serial ?? null,
    ip: guest.ip ?? null,
    profiles: guest.profiles,
    tree: selection.found ? selection.tree.id : null,
    template: guest.settings.template?.value ?? null,
    definedAt: guest.definedAt,
  }
}

/** @param seen.plan What its next network boot does. */
export function guestDetail(
  guest: Guest,
  {
    trees,
    state,
    plan,
  }: { readonly trees: TreeIndex; readonly state?: GuestState | undefined; readonly plan: BootPlan },
): GuestDetail {
  return {
    ...guestSummary(guest, trees, state),
    install: (state ?? newState).install,
    nextBoot: { plan: plan.kind, why: 'why' in plan ? plan.why : null },
  }
}

/** The addresses and numbers by which a guest is recognised, for one cell of a table. */
export function identityText(
  guest: Pick<Guest, 'macs'> & Partial<Pick<GuestSummary, 'uuid' | 'serial' | 'ip'>>,
): string {
  const facts = [...guest.macs, guest.uuid, guest.serial && `serial ${guest.serial}`, guest.ip]
  return facts.filter(Boolean).join(', ') || 'its name only'
}

export function stepView({ atMs, install, kind, detail, client }: HistoryEntry): StoryStep {
  return { at: timeText(atMs), install, step: kind, detail, client }
}

const stepTexts: Readonly<Record<HistoryKind, string>> = {
  armed: 'the operator wants it installed',
  offered: 'asked for boot, was offered',
  kernel: 'loaded the kernel of',
  answers: 'its installer fetched the answer file',
  installing: 'its installer says: installing',
  progress: 'its installer says',
  installed: 'its installer says: installed',
  failed: 'its installer says: failed',
  disk: 'asked for boot, was sent to its own disk',
  local: 'the operator keeps it on its own disk',
  'taken-back': 'the operator took the order back',
  held: 'is held, and boots its own disk:',
}

/** `its installer says: partitioning`, beside `its installer says: failed, no disk`. */
const separators: Partial<Record<HistoryKind, string>> = { progress: ': ' }

/** One line of a guest's history, for people. A newer server may send steps that are not known here. */
export function stepText({ step, detail, client }: Omit<StoryStep, 'at' | 'install'>): string {
  const text = (stepTexts as Readonly<Record<string, string>>)[step] ?? step
  const separator = separators[step as HistoryKind] ?? (text.includes('says') ? ', ' : ' ')
  const words = detail === '' ? text : `${text}${separator}${detail}`
  return client === '' ? words : `${words} (${client})`
}

export function machineView(machine: UnknownMachine, selectors: readonly Selector[]): UnknownMachineView {
  const { id, firstMs, lastMs, count } = machine
  const seen = { ...shownOrNull(machine), first: timeText(firstMs), last: timeText(lastMs), count }
  const selected = selectProfile(factsOfSeen(machine), selectors)
  const profile = selected.kind === 'profile' ? selected.selector.profile : null
  return { id, ...seen, profile, selected: selectedText(selected) ?? null }
}

/** Which profile an unknown machine gets and why, or between which nothing decides; undefined without a selector. */
export function selectedText(selected: Selected): string | undefined {
  if (selected.kind === 'none') return undefined
  if (selected.kind === 'tie') return `none: ${selected.profiles.join(' and ')} both by ${selected.by}`
  const { profile, auto } = selected.selector
  return `${profile} (${auto}) by ${selected.by}`
}
