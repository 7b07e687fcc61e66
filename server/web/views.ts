import { selectForGuest } from '../core/boot/plan-boot.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { TreeIndex } from '../core/tree/select.ts'
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
export function guestSummary(guest: Guest, trees: TreeIndex) {
  const selection = selectForGuest(guest, trees)
  return {
    name: guest.name,
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
