import { selectForGuest } from '../core/boot/plan-boot.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { Machine } from '../core/guest/seen-machine.ts'
import type { GuestState, HistoryKind, Step } from '../core/guest/state.ts'
import type { TreeIndex } from '../core/select/select.ts'
import type { Tree } from '../core/tree/tree.ts'

/** A tree as the API and `treeboot trees --json` show it. */
export function treeSummary(tree: Tree) {
  return {
    id: tree.id,
    state: tree.state,
    reasons: tree.reasons,
    family: tree.family,
    distro: tree.distro,
    version: tree.version,
    variant: tree.variant,
    arch: tree.arch,
    era: tree.era,
    origin: tree.origin.kind,
    platforms: Object.keys(tree.platforms),
    problems: tree.problems.length,
  }
}

/** Everything that we know of one tree, but for its place on our disk. */
export function treeDetail(tree: Tree) {
  const { origin, ...rest } = tree
  return { ...rest, origin: origin.kind, checksums: digests(tree) }
}

function digests(tree: Tree): Record<string, string> {
  return Object.fromEntries(
    Object.entries(tree.checksums).map(([path, digest]) => [path, `${digest.algorithm}:${digest.hex}`]),
  )
}

/** A guest as the API and `treeboot guests --json` show it. Its vars stay out: they may hold password hashes. */
export function guestSummary(guest: Guest, trees: TreeIndex, life?: GuestState) {
  const selection = selectForGuest(guest, trees, life)
  return {
    name: guest.name,
    state: life?.state ?? 'install',
    /** Null for a guest to whom nothing ever happened. */
    since: life && life.sinceMs > 0 ? new Date(life.sinceMs).toISOString() : null,
    failure: life?.failure ?? null,
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

/** How a guest is recognised, in one cell. */
export function identityText(guest: Guest): string {
  const facts = [...guest.macs, guest.uuid, guest.serial && `serial ${guest.serial}`, guest.ip]
  return facts.filter(Boolean).join(', ') || 'its name only'
}

/** One step of a guest's story, for machines; times as ISO 8601. */
export function stepView({ atMs, install, kind, detail, client }: Step) {
  return { at: new Date(atMs).toISOString(), install, step: kind, detail, client }
}

const stepTexts: Record<HistoryKind, string> = {
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
}

/** The same for people. */
export function stepText({ kind, detail, client }: Step): string {
  const said = stepTexts[kind]
  const words = detail === '' ? said : `${said}${said.includes('says') ? ', ' : ' '}${detail}`
  return client === '' ? words : `${words} (${client})`
}

/** A machine of the inbox as the API and `treeboot inbox --json` show it. */
export function machineView(machine: Machine) {
  const { id, mac, uuid, serial, firmware, vendor, address, firstMs, lastMs, count } = machine
  return {
    id,
    mac: mac ?? null,
    uuid: uuid ?? null,
    serial: serial ?? null,
    firmware: firmware ?? null,
    vendor: vendor ?? null,
    address: address ?? null,
    first: new Date(firstMs).toISOString(),
    last: new Date(lastMs).toISOString(),
    count,
  }
}
