import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootFacts, BootInputs } from '../core/boot/plan-boot.ts'
import { selectedFor } from '../core/boot/plan-boot.ts'
import { defined } from '../core/defined.ts'
import type { Guest } from '../core/guest/guest.ts'
import { newState } from '../core/guest/state.ts'
import type { Requester } from '../core/net/requester.ts'
import type { AutoGuests } from '../machines/auto-guests.ts'
import { type Decision, decideForGuest } from '../machines/decide.ts'
import type { Answers } from './answers.ts'

export interface AutoOfferParts {
  /** Makes guests of unknown machines; absent where nothing may be changed. */
  readonly autoGuests?: Pick<AutoGuests, 'consider' | 'claim' | 'whyNotConfirmed'> | undefined
  readonly answers: Pick<Answers, 'whyNone'>
}

export interface AsksAsUnknown {
  readonly facts: BootFacts
  readonly who: Requester
  readonly inputs: BootInputs
  readonly snapshot: Snapshot
}

/** What a machine gets that a profile with `auto: install` selects. */
export type AutoOffer =
  | {
      /** The installer, as the guest that the machine becomes with the first byte of this configuration. */
      readonly decision: Decision
      readonly claim: () => Promise<void>
    }
  | { readonly whyNoGuest: string }

/**
 * Undefined for a machine that no such profile selects. The configuration is written for a guest that does not exist yet,
 * so that its size is known when a loader asks for that first, and that a question makes no guest. `claim` makes it.
 */
export async function autoOffer(
  { autoGuests, answers }: AutoOfferParts,
  { facts, who, inputs, snapshot }: AsksAsUnknown,
): Promise<AutoOffer | undefined> {
  const { shown } = facts
  const selected = selectedFor(facts, inputs)
  if (!shown || selected.kind !== 'profile' || selected.selector.auto !== 'install') return undefined
  if (!autoGuests || who.protocol === 'internal') return { whyNoGuest: 'only a boot of it decides that' }
  const candidate = { selected, shown, who }
  const made = await autoGuests.consider(candidate)
  if ('why' in made) return { whyNoGuest: made.why }
  const { guest } = made
  const why = await answers.whyNone({ guest, who, snapshot })
  const decision = decideForGuest(guest, facts, {
    ...inputs,
    stateOf: (name) => (name === guest.name ? newState : inputs.stateOf?.(name)),
    ...defined({ whyNoAnswerFile: why === undefined ? undefined : () => why }),
  })
  const { plan } = decision
  if (plan.kind !== 'install') return { whyNoGuest: plan.kind === 'menu' ? 'nothing is planned' : plan.why }
  // Without one the installer asks at its screen, and nobody is there.
  if (plan.answerFile === undefined) return { whyNoGuest: 'it would get no answer file' }
  return { decision, claim: () => autoGuests.claim(made, candidate) }
}

/** Why a guest that a profile made is not installed now, by what its machine shows. `facts` have what it has shown. */
export async function whyNotConfirmed(
  { autoGuests }: Pick<AutoOfferParts, 'autoGuests'>,
  guest: Guest | undefined,
  { facts, who, inputs }: Omit<AsksAsUnknown, 'snapshot'>,
): Promise<string | undefined> {
  const { shown } = facts
  if (!autoGuests || !guest?.shown || !shown || who.protocol === 'internal') return undefined
  return autoGuests.whyNotConfirmed({ guest, selected: selectedFor(facts, inputs), shown, who })
}
