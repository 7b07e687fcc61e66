/** A value of a template. Maps of the engine are plain objects here. */
export type Data = string | number | boolean | null | readonly Data[] | { readonly [key: string]: Data }

/** The arguments of one call: `{{ value | filter(args, options) }}`. */
export interface FilterCall {
  readonly value: Data
  readonly args: readonly Data[]
  /** Named arguments: `count=1`. */
  readonly options: Readonly<Record<string, Data>>
  /** Used to make salts. It differs between guests, and is the same in each rendering for one guest. */
  readonly seed: string
  /** When the rendering must end, on the clock of `performance.now()`. */
  readonly deadlineMs?: number
}

/** The arguments that a filter or a test takes, beside its value. */
export interface Signature {
  /** Names by position. Each may be given by its name as well. */
  readonly params?: readonly string[]
  /** Those that are given by name only. */
  readonly options?: readonly string[]
  /** Any number of values may follow. */
  readonly rest?: boolean
  readonly anyName?: boolean
  /** Filters of the engine: what stands for an argument that is left out, as source text. */
  readonly defaults?: readonly string[]
  /** Filters of the engine: how many arguments it takes. Default: all. */
  readonly takes?: number
  /** Filters of the engine: it takes them by name only. */
  readonly byName?: boolean
  /** What to write instead of a wrong call. Default: the names of the arguments. */
  readonly remedy?: string
}

/** A filter. `run` throws an Error that says what it expected and found. */
export interface Filter extends Signature {
  run(call: FilterCall): Data
}

/** The value as text, as the engine prints it. */
export function asText(value: Data | undefined, what = 'value'): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new Error(`expected text as ${what}, found ${kindOf(value)}`)
}

export function asMap(value: Data | undefined): Readonly<Record<string, Data>> {
  if (isMap(value)) return value
  throw new Error(`expected a mapping, found ${kindOf(value)}`)
}

export function asList(value: Data | undefined): readonly Data[] {
  if (Array.isArray(value)) return value
  throw new Error(`expected a list, found ${kindOf(value)}`)
}

export function isMap(value: Data | undefined): value is Readonly<Record<string, Data>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function kindOf(value: Data | undefined): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'none'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'a mapping' : `a ${typeof value}`
}
