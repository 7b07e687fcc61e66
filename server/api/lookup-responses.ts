import { z } from 'zod'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootInputs } from '../core/boot/plan-boot.ts'
import { defined } from '../core/defined.ts'
import type { Guest } from '../core/guest/guest.ts'
import { pinnedOffer } from '../core/guest/state.ts'
import { lookup, lookupResultJson } from '../core/lookup/lookup.ts'
import { parseLookupQuery } from '../core/lookup/query.ts'
import type { Requester } from '../core/net/requester.ts'
import type { Release } from '../core/tree/tree.ts'
import { lru } from '../host/lru.ts'
import { formatContentType, renderPlan } from '../render/render.ts'
import { format, readInput } from './input.ts'
import { problemOf, problemType } from './problem.ts'
import type { LookupBody, LookupMiss } from './types.ts'

type LookupInputs = Pick<BootInputs, 'trees' | 'guests' | 'urls' | 'stateOf' | 'client' | 'whyNoAnswerFile'>

export interface LookupResponse {
  readonly status: number
  readonly contentType: string
  readonly body: Buffer
  /** The version of the tree in the response, when treeboot published that tree. */
  readonly release?: Release
  /** The guest that the response is for. */
  readonly guest?: string
}

export interface LookupRequest {
  /** The part of the URL behind `?`. */
  readonly query: string
  readonly who: Requester
  readonly inputs: LookupInputs
  /**
   * The snapshot now. `inputs.trees` differs from its trees for a client that still sees earlier versions.
   */
  readonly current: Pick<Snapshot, 'trees' | 'guests'>
}

/** Responses kept: bounded, because clients choose the queries. */
const mostResponses = 4096

/**
 * Responses to lookups, cached because hundreds of machines that boot together ask the same few questions. A
 * response depends on the query, the snapshot, and the name and address by which the client reaches us; for a
 * guest also on its state and offers. A client that still sees earlier versions of trees gets a response that
 * is not cached.
 */
export class LookupResponses {
  readonly #cache = lru<string, { response: LookupResponse; state: string }>(mostResponses)
  #trees: LookupInputs['trees'] | undefined
  #guests: LookupInputs['guests'] | undefined

  /** The response, if it is kept and still holds. */
  kept({ query, who, inputs, current }: LookupRequest): LookupResponse | undefined {
    if (current.trees !== this.#trees || current.guests !== this.#guests) this.#cache.clear()
    this.#trees = current.trees
    this.#guests = current.guests
    if (inputs.trees !== current.trees) return undefined
    const cached = this.#cache.get(keyOf(query, who))
    return cached && cached.state === stateKey(cached.response, inputs) ? cached.response : undefined
  }

  /** @throws Failure `bad-request` for a query that cannot be read. */
  respond(request: LookupRequest): LookupResponse {
    const kept = this.kept(request)
    if (kept) return kept
    const { query, who, inputs, current } = request
    const response = lookUp(query, inputs)
    // Queries that find nothing are endlessly varied: they would displace the useful responses.
    if (response.status === 200 && inputs.trees === current.trees)
      this.#cache.set(keyOf(query, who), { response, state: stateKey(response, inputs) })
    return response
  }
}

function keyOf(query: string, { host, localAddress }: Requester): string {
  return `${host}\n${localAddress}\n${query}`
}

/** The guest that a query names; undefined also for a query that cannot be read. */
export function guestInQuery(query: string, guests: LookupInputs['guests']): Guest | undefined {
  try {
    const { as: _, ...asked } = parameters(query)
    const facts = parseLookupQuery(asked).guest
    return facts && guests.match(facts)?.guest
  } catch {
    return undefined
  }
}

/** The part of a guest's state that its response depends on; '' when the response is not for a guest. */
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
  const { as } = readInput(asParameter, params, { of: 'query' })
  const query = parseLookupQuery(params)
  const result = lookup(query, inputs)
  if (!result.found) {
    const miss: LookupMiss = { ...problemOf('not-found', result.why), nearest: result.nearest }
    return { ...jsonResponse(404, miss), contentType: problemType }
  }
  const guest = query.guest && inputs.guests.match(query.guest)?.guest.name
  const about = defined({ release: result.plan.tree.release, guest })
  // Unlike `renderPlan`, this JSON also has the other trees that matched.
  if (as === 'json') {
    const found: LookupBody = lookupResultJson(result)
    return { ...jsonResponse(200, found), ...about }
  }
  const body = Buffer.from(renderPlan(result.plan, as))
  return { status: 200, contentType: formatContentType(as), body, ...about }
}

/**
 * The query as an object. A parameter that is given twice becomes a list, and the lookup refuses it by its
 * name.
 */
function parameters(text: string): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = Object.create(null)
  for (const [key, value] of new URLSearchParams(text)) {
    const earlier = query[key]
    query[key] = earlier === undefined ? value : [earlier, value].flat()
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
