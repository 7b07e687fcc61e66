import type { InstallPlan, RefusePlan } from '../boot/plan.ts'
import { archOf, type BootInputs, planGuest, selectForGuest } from '../boot/plan-boot.ts'
import { planTree } from '../boot/plan-tree.ts'
import { Failure } from '../failure.ts'
import type { Guest, GuestFacts, TreeSelector, VirtType } from '../guest/guest.ts'
import { canonicalMac } from '../net/mac.ts'
import { canonicalUuid } from '../net/uuid.ts'
import { nearestName } from '../select/nearest.ts'
import type { Selection } from '../select/select.ts'
import { answerOf, type LookupAnswer } from './result.ts'

/** What can be asked of the lookup, canonical. At least one of tree, its traits, or a guest is there. */
export interface LookupQuery {
  /** The tree, by id or traits; absent when the guest's own is meant. */
  readonly tree?: TreeSelector
  readonly guest?: GuestFacts
  readonly virt?: VirtType
}

export const lookupKeys = [
  'tree',
  'distro',
  'version',
  'variant',
  'arch',
  'guest',
  'mac',
  'uuid',
  'virt',
  'as',
] as const
type LookupKey = (typeof lookupKeys)[number]

/** Longer than any id, name or version that we know. */
const maxLength = 512

/**
 * Reads the parameters of a lookup. Empty values count as not given, so that scripts may pass what they have. `as` is
 * accepted and left to whoever renders.
 *
 * @throws Failure `bad-request` naming the parameter, what was found and what was expected.
 */
export function parseLookupQuery(params: Readonly<Record<string, unknown>>): LookupQuery {
  const given = readParams(params)
  const { tree: id, distro, version, variant, arch, guest: name, virt } = given
  const traits = {
    ...(distro !== undefined && { distro }),
    ...(version !== undefined && { version }),
    ...(variant !== undefined && { variant }),
    ...(arch !== undefined && { arch }),
  }
  const hasTraits = Object.keys(traits).length > 0
  if (id !== undefined && hasTraits)
    throw bad(
      `tree=${id} names one tree; ${Object.keys(traits).join(', ')} cannot narrow it: give one or the other`,
    )
  if (virt !== undefined && virt !== 'hvm' && virt !== 'pv') throw bad(`virt=${virt}: expected hvm or pv`)
  const guest = guestFacts(name, given.mac, given.uuid)
  if (id === undefined && !hasTraits && !guest)
    throw bad(
      'nothing asked: expected tree=ID, or any of distro, version, variant, arch, or guest=, mac= or uuid=',
    )
  return {
    ...(id !== undefined && { tree: { id: id.replace(/^\/+|\/+$/g, '') } }),
    ...(hasTraits && { tree: traits }),
    ...(guest && { guest }),
    ...(virt !== undefined && { virt }),
  }
}

function readParams(params: Readonly<Record<string, unknown>>): Partial<Record<LookupKey, string>> {
  const given: Partial<Record<LookupKey, string>> = {}
  for (const [key, value] of Object.entries(params)) {
    if (!isLookupKey(key)) {
      const near = nearestName(key, lookupKeys)
      throw bad(
        `unknown parameter ${key.slice(0, 60)}${near ? `: did you mean ${near}?` : `; known are ${lookupKeys.join(', ')}`}`,
      )
    }
    if (typeof value !== 'string') throw bad(`${key}: expected one value`)
    if (value.length > maxLength) throw bad(`${key}: ${value.length} characters; at most ${maxLength}`)
    if (value !== '') given[key] = value
  }
  return given
}

function isLookupKey(key: string): key is LookupKey {
  return (lookupKeys as readonly string[]).includes(key)
}

function guestFacts(
  name: string | undefined,
  mac: string | undefined,
  uuid: string | undefined,
): GuestFacts | undefined {
  if (mac !== undefined && canonicalMac(mac) === undefined)
    throw bad(`mac=${mac}: expected six bytes in hex, as 52:54:00:aa:bb:01`)
  if (uuid !== undefined && canonicalUuid(uuid) === undefined)
    throw bad(`uuid=${uuid}: expected a UUID, as 4c4c4544-0042-3510-8052-b4c04f4a3132`)
  if (name === undefined && mac === undefined && uuid === undefined) return undefined
  return {
    ...(name !== undefined && { name }),
    ...(mac !== undefined && { macs: [mac] }),
    ...(uuid !== undefined && { uuid }),
  }
}

function bad(message: string): Failure {
  return new Failure('bad-request', message)
}

export type LookupResult =
  | {
      readonly found: true
      readonly plan: InstallPlan
      /** Ids of the other trees that matched, best first. */
      readonly others: readonly string[]
    }
  | {
      readonly found: false
      /** One line: what was asked and why nothing fits. */
      readonly why: string
      /** Ids of trees or names of guests that come closest. */
      readonly nearest: readonly string[]
    }

/** Finds kernel, initrd and arguments. The newest version wins where several trees match, and `others` names the rest. */
export function lookup(
  query: LookupQuery,
  inputs: Pick<BootInputs, 'trees' | 'guests' | 'urls' | 'stateOf'>,
): LookupResult {
  const guest = query.guest && inputs.guests.match(query.guest)?.guest
  if (query.guest && !guest) return noGuest(query.guest, inputs)
  const selection = query.tree
    ? inputs.trees.select(query.tree)
    : guest
      ? selectForGuest(guest, inputs.trees, inputs.stateOf?.(guest.name))
      : undefined
  if (!selection?.found) return noTree(selection, guest)
  const plan = planFor(query, selection, guest, inputs)
  if (plan.kind === 'refuse')
    return { found: false, why: plan.why, nearest: ids(selection.others).slice(0, 5) }
  return { found: true, plan, others: ids(selection.others) }
}

/** The JSON answer to a lookup that found something. */
export function lookupAnswer(result: Extract<LookupResult, { found: true }>): LookupAnswer {
  return answerOf(result.plan, result.others)
}

function planFor(
  query: LookupQuery,
  selection: Extract<Selection, { found: true }>,
  guest: Guest | undefined,
  inputs: Pick<BootInputs, 'trees' | 'urls' | 'stateOf'>,
): InstallPlan | RefusePlan {
  const asked = { ...(query.virt && { virt: query.virt }) }
  if (guest && !query.tree) return planGuest(guest, asked, inputs)
  const arch = query.tree && 'arch' in query.tree ? query.tree.arch : undefined
  return planTree(selection.tree, {
    urls: inputs.urls,
    virt: query.virt ?? guest?.settings.virt.type.value ?? 'hvm',
    ...(guest && { guest }),
    ...archOf(selection.tree, arch),
  })
}

function noTree(selection: Selection | undefined, guest: Guest | undefined): LookupResult {
  if (selection?.found !== false) return { found: false, why: 'no tree asked for', nearest: [] }
  const why = guest ? `guest ${guest.name}: ${selection.why}` : selection.why
  return { found: false, why, nearest: ids(selection.nearest) }
}

function noGuest(facts: GuestFacts, inputs: Pick<BootInputs, 'guests'>): LookupResult {
  const asked = [
    facts.name === undefined ? [] : [`name ${facts.name}`],
    (facts.macs ?? []).map((mac) => `mac ${mac}`),
    facts.uuid === undefined ? [] : [`uuid ${facts.uuid}`],
  ].flat()
  const near =
    facts.name === undefined
      ? undefined
      : nearestName(
          facts.name,
          inputs.guests.all.map((guest) => guest.name),
        )
  return {
    found: false,
    why: `no guest has ${asked.join(' or ')}; guests are defined in config.yaml`,
    nearest: near === undefined ? [] : [near],
  }
}

function ids(trees: readonly { readonly id: string }[]): string[] {
  return trees.map((tree) => tree.id)
}
