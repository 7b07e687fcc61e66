import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import { defined } from '../core/defined.ts'
import { pinnedOffer } from '../core/guest/state.ts'
import { lookup, lookupResultJson } from '../core/lookup/lookup.ts'
import { parseLookupQuery } from '../core/lookup/query.ts'
import type { Requester } from '../core/net/requester.ts'
import type { Release } from '../core/tree/tree.ts'
import { formatContentType, renderPlan } from '../render/render.ts'
import { format, readInput } from './input.ts'
import type { LookupBody, LookupMiss } from './types.ts'

type LookupInputs = Pick<BootInputs, 'trees' | 'guests' | 'urls' | 'stateOf' | 'client'>

export interface LookupResponse {
  readonly status: number
  readonly contentType: string
  readonly body: Buffer
  /** The version of the tree that was found. */
  readonly release?: Release
  /** The guest that it is for. */
  readonly guest?: string
}

export interface LookupRequest {
  /** The part of the URL behind `?`. */
  readonly query: string
  readonly who: Requester
  readonly inputs: LookupInputs
  /** The snapshot of this moment. */
  readonly current: Pick<Snapshot, 'trees' | 'guests'>
}

/** Responses kept. Queries come from clients, so the memory must have an end. */
const mostResponses = 4096

/**
 * Lookups with a memory: machines that boot by the hundred ask the same few questions. The same question to
 * the same snapshot, by a client that reaches us by the same name, has the same response. A guest's also
 * depends on what the guest is installing. A client that still sees an earlier version of a tree gets its
 * response made for it.
 */
export class LookupResponses {
  readonly #known = new LRUCache<string, { response: LookupResponse; state: string }>({ max: mostResponses })
  #trees: LookupInputs['trees'] | undefined
  #guests: LookupInputs['guests'] | undefined

  /** @throws Failure `bad-request` for a query that cannot be read. */
  respond({ query, who, inputs, current }: LookupRequest): LookupResponse {
    if (current.trees !== this.#trees || current.guests !== this.#guests) this.#known.clear()
    this.#trees = current.trees
    this.#guests = current.guests
    if (inputs.trees !== current.trees) return lookUp(query, inputs)
    const key = `${who.host}\n${who.localAddress}\n${query}`
    const known = this.#known.get(key)
    if (known && known.state === stateKey(known.response, inputs)) return known.response
    const response = lookUp(query, inputs)
    // What is not there comes in endless variety: keeping it would push out what is.
    if (response.status === 200) this.#known.set(key, { response, state: stateKey(response, inputs) })
    return response
  }
}

/** What a guest's response depends on besides the snapshot. */
function stateKey({ guest: name }: LookupResponse, { guests, stateOf, client }: LookupInputs): string {
  const guest = name === undefined ? undefined : guests.byName(name)
  const state = guest && stateOf?.(guest.name)
  if (!guest || !state) return ''
  const offer = pinnedOffer(guest, state, client)
  return `${state.state}\n${offer?.tree}\n${offer?.release?.version}`
}

const asParameter = z.object({ as: format })

function lookUp(queryText: string, inputs: LookupInputs): LookupResponse {
  const params = parameters(queryText)
  const { as } = readInput(asParameter, params, 'bad-request')
  const query = parseLookupQuery(params)
  const result = lookup(query, inputs)
  if (!result.found) {
    const miss: LookupMiss = { error: 'not-found', message: result.why, nearest: result.nearest }
    return jsonResponse(404, miss)
  }
  const guest = query.guest && inputs.guests.match(query.guest)?.guest.name
  const about = defined({ release: result.plan.tree.release, guest })
  if (as === 'json') {
    const found: LookupBody = lookupResultJson(result)
    return { ...jsonResponse(200, found), ...about }
  }
  const body = Buffer.from(renderPlan(result.plan, as))
  return { status: 200, contentType: formatContentType(as), body, ...about }
}

/** A parameter that is given twice becomes a list, which the lookup refuses by name. */
function parameters(text: string): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null)
  for (const [key, value] of new URLSearchParams(text)) {
    const before = query[key]
    query[key] = before === undefined ? value : [before, value].flat()
  }
  return query
}

export function jsonResponse(status: number, value: unknown): LookupResponse {
  return {
    status,
    contentType: 'application/json; charset=utf-8',
    body: Buffer.from(JSON.stringify(value)),
  }
}
