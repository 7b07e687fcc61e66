import { z } from 'zod'
import { Failure } from '../core/failure.ts'

/** The most elements of one page. */
const longestPage = 1000
const usualPage = 100

const limitText = `a number of elements from 1 to ${longestPage}`
const limit = z
  .preprocess(
    (value) => (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : (value ?? usualPage)),
    z.int(limitText).min(1, limitText).max(longestPage, limitText),
  )
  .meta({
    type: 'integer',
    minimum: 1,
    maximum: longestPage,
    default: usualPage,
    description: 'the most elements of the page',
  })

const cursorText = '`next` of the page before, as it was'

/**
 * The query of a list: `limit`, `cursor`, `sort`, and its filters.
 *
 * @param sorts The names by which it can be sorted; the first is the default. `-name` is the reverse.
 */
export function listQuery<const Filters extends z.ZodRawShape>(
  sorts: readonly [string, ...string[]],
  filters: Filters,
) {
  const names = sorts.flatMap((name) => [name, `-${name}`]) as [string, ...string[]]
  return z.object({
    limit,
    cursor: z.string(cursorText).optional().meta({ description: cursorText }),
    sort: z.enum(names, `one of ${names.join(', ')}`).default(names[0]),
    ...filters,
  })
}

/** What a list is asked for. */
export interface PageQuery {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly sort: string
}

type SortKey = string | number

export interface ListSpec<Item> {
  /** Tells all elements apart, and sorts those that are equal otherwise. */
  readonly idOf: (item: Item) => string
  /** The keys of each sort but `sorts[0]`, when that is `idOf`. */
  readonly keys?: Readonly<Record<string, (item: Item) => SortKey>>
  /** Undefined: all. */
  readonly isWanted?: ((item: Item) => boolean) | undefined
}

export interface Page<Item> {
  readonly items: readonly Item[]
  readonly total: number
  readonly next: string | null
}

/**
 * One page of a list. A cursor names the last element of the page before by its sort key, so what comes or goes
 * meanwhile moves no other element to another page.
 *
 * @throws Failure `bad-request` for a cursor that is not one of this list in this order.
 */
export function pageOf<Item>(all: readonly Item[], query: PageQuery, spec: ListSpec<Item>): Page<Item> {
  const { idOf, isWanted } = spec
  const isReverse = query.sort.startsWith('-')
  const name = query.sort.replace('-', '')
  const keyOf = spec.keys?.[name]
  const sorted = keyOf ? [...all].sort(comparing(keyOf, idOf)) : sortedById(all, idOf)
  const wanted = isWanted ? sorted.filter(isWanted) : sorted
  const ordered = isReverse ? [...wanted].reverse() : wanted
  const placeOf = (item: Item): Place => [keyOf?.(item) ?? '', idOf(item)]
  const start =
    query.cursor === undefined ? 0 : firstAfter(ordered.map(placeOf), readCursor(query), isReverse)
  const items = ordered.slice(start, start + query.limit)
  const last = items.at(-1)
  const isEnd = last === undefined || start + items.length >= ordered.length
  return { items, total: ordered.length, next: isEnd ? null : cursorOf(query.sort, placeOf(last)) }
}

/** The query of a list whose elements have numbers that only grow, such as lines of the audit; the newest comes first. */
export const numberedQuery = {
  limit,
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, cursorText)
    .optional(),
}

/**
 * One page of such a list, in which a cursor is a number.
 *
 * @param read Resolves to at most `limit` elements, with `before` only those with smaller numbers.
 */
export async function numberedPage<Item extends { readonly id: number }>(
  { limit: most, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
  read: (query: { readonly limit: number; readonly before?: number }) => Promise<readonly Item[]>,
): Promise<Omit<Page<Item>, 'total'>> {
  const found = await read({ limit: most + 1, ...(cursor !== undefined && { before: Number(cursor) }) })
  const items = found.slice(0, most)
  const last = items.at(-1)
  return { items, next: found.length > most && last ? String(last.id) : null }
}

/** All elements of a list that is never long, as a page. */
export function wholeList<Item>(items: readonly Item[]): Page<Item> {
  return { items, total: items.length, next: null }
}

/** Where an element stands: its sort key and its id. */
type Place = readonly [SortKey, string]

/** Snapshots are immutable, so their lists are sorted once. */
const byId = new WeakMap<readonly unknown[], readonly unknown[]>()

function sortedById<Item>(all: readonly Item[], idOf: (item: Item) => string): readonly Item[] {
  const kept = byId.get(all)
  if (kept) return kept as readonly Item[]
  const sorted = [...all].sort((a, b) => compare(idOf(a), idOf(b)))
  byId.set(all, sorted)
  return sorted
}

function comparing<Item>(keyOf: (item: Item) => SortKey, idOf: (item: Item) => string) {
  return (a: Item, b: Item): number => compare(keyOf(a), keyOf(b)) || compare(idOf(a), idOf(b))
}

function compare(a: SortKey, b: SortKey): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

function comparePlaces([keyA, idA]: Place, [keyB, idB]: Place): number {
  return compare(keyA, keyB) || compare(idA, idB)
}

/** The index of the first place behind the given one. */
function firstAfter(places: readonly Place[], place: Place, isReverse: boolean): number {
  const index = places.findIndex((each) => comparePlaces(each, place) * (isReverse ? -1 : 1) > 0)
  return index < 0 ? places.length : index
}

function cursorOf(sort: string, place: Place): string {
  return Buffer.from(JSON.stringify([sort, ...place])).toString('base64url')
}

const cursorShape = z.tuple([z.string(), z.union([z.string(), z.number()]), z.string()])

function readCursor({ cursor = '', sort }: PageQuery): Place {
  const [ofSort, key, id] = parsedCursor(cursor) ?? []
  if (ofSort === sort && key !== undefined && id !== undefined) return [key, id]
  const expected = `${cursorText}, with the same sort`
  throw new Failure('bad-request', `cursor=${cursor.slice(0, 60)}: expected ${expected}`, {
    details: [{ field: 'query.cursor', found: cursor.slice(0, 60), expected }],
  })
}

function parsedCursor(cursor: string): z.output<typeof cursorShape> | undefined {
  try {
    return cursorShape.safeParse(JSON.parse(Buffer.from(cursor, 'base64url').toString())).data
  } catch {
    return undefined
  }
}
