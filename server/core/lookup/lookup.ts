import type { InstallPlan, RefusePlan } from '../boot/plan.ts'
import { archOf, type BootInputs, planGuest, selectForGuest } from '../boot/plan-boot.ts'
import { planTree } from '../boot/plan-tree.ts'
import { defined } from '../defined.ts'
import type { Guest, GuestFacts } from '../guest/guest.ts'
import { maxClosest } from '../select/closest.ts'
import { nearestName } from '../select/nearest.ts'
import type { Selection } from '../select/select.ts'
import type { LookupQuery } from './query.ts'
import { installResultJson, type LookupResultJson } from './result.ts'

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

type LookupInputs = Pick<BootInputs, 'trees' | 'guests' | 'urls' | 'stateOf' | 'whyNoAnswerFile'>

/**
 * Finds kernel, initrd and arguments. The newest version wins where several trees match, and `others` names
 * the rest.
 */
export function lookup(query: LookupQuery, inputs: LookupInputs): LookupResult {
  const guest = query.guest && inputs.guests.match(query.guest)?.guest
  if (query.guest && !guest) return noGuest(query.guest, inputs)
  const selection = selectFor(query, guest, inputs)
  if (!selection?.found) return noTree(selection, guest)
  const plan = planFor(query, selection, guest, inputs)
  if (plan.kind === 'refuse')
    return { found: false, why: plan.why, nearest: ids(selection.others).slice(0, maxClosest) }
  return { found: true, plan, others: ids(selection.others) }
}

function selectFor(
  query: LookupQuery,
  guest: Guest | undefined,
  inputs: Pick<BootInputs, 'trees' | 'stateOf'>,
): Selection | undefined {
  if (query.tree) return inputs.trees.select(query.tree)
  return guest && selectForGuest(guest, inputs.trees, inputs.stateOf?.(guest.name))
}

/** The JSON form of a result with a plan. */
export function lookupResultJson(result: Extract<LookupResult, { found: true }>): LookupResultJson {
  return installResultJson(result.plan, result.others)
}

function planFor(
  query: LookupQuery,
  selection: Extract<Selection, { found: true }>,
  guest: Guest | undefined,
  inputs: Omit<LookupInputs, 'guests'>,
): InstallPlan | RefusePlan {
  if (guest && !query.tree) return planGuest(guest, defined({ virt: query.virt }), inputs)
  const arch = query.tree && 'arch' in query.tree ? query.tree.arch : undefined
  return planTree(selection.tree, {
    urls: inputs.urls,
    virt: query.virt ?? guest?.settings.virt.type.value ?? 'hvm',
    isLookup: guest === undefined,
    ...defined({ guest, whyNoAnswerFile: guest && inputs.whyNoAnswerFile?.(guest.name) }),
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
