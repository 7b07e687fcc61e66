import type { BootInputs } from '../core/boot/plan-boot.ts'
import { type LookupQuery, type LookupResult, lookup, lookupAnswer } from '../core/lookup/lookup.ts'

type LookupInputs = Pick<BootInputs, 'trees' | 'guests' | 'urls' | 'stateOf'>

/** A lookup's result and the text of its answer: JSON when it found something. */
export interface LookupText {
  readonly result: LookupResult
  /** The answer as one line of JSON; undefined when nothing was found, which each service words in its own way. */
  readonly json?: string
}

/** Answers kept. Queries come from clients, so the memory must end somewhere; it then starts anew. */
const mostAnswers = 4096

/**
 * Lookups with a memory. The same question to the same snapshot, by a client that reaches us by the same name, has the
 * same answer; machines that boot by the hundred ask the same few. A new snapshot empties it; a guest's answer is that
 * of the tree which it is bound to just then.
 */
export function createLookupTexts(): (query: LookupQuery, inputs: LookupInputs) => LookupText {
  const answers = new Map<string, LookupText>()
  let trees: LookupInputs['trees'] | undefined
  let guests: LookupInputs['guests'] | undefined
  return (query, inputs) => {
    if (inputs.trees !== trees || inputs.guests !== guests || answers.size >= mostAnswers) answers.clear()
    trees = inputs.trees
    guests = inputs.guests
    const key = JSON.stringify([inputs.urls, query, boundTo(query, inputs)])
    const known = answers.get(key)
    if (known) return known
    const result = lookup(query, inputs)
    // What is not there comes in endless variety: keeping it would push out what is.
    if (!result.found) return { result }
    const text = { result, json: JSON.stringify(lookupAnswer(result)) }
    answers.set(key, text)
    return text
  }
}

function boundTo({ guest: facts, tree }: LookupQuery, { guests, stateOf }: LookupInputs): unknown {
  if (!facts || tree || !stateOf) return undefined
  const name = guests.match(facts)?.guest.name
  const life = name === undefined ? undefined : stateOf(name)
  return life && [life.state, life.offer?.tree, life.offer?.release?.version, life.offer?.wanted]
}
