/** What templates pass around. Maps of the engine arrive here as plain objects. */
export type Data = string | number | boolean | null | readonly Data[] | { readonly [key: string]: Data }

export interface FilterCall {
  readonly value: Data
  readonly args: readonly Data[]
  /** Named arguments: `count=1`. */
  readonly options: Readonly<Record<string, Data>>
  /** Differs from guest to guest and is the same in each rendering for one: where salts come from. */
  readonly seed: string
}

/** A filter throws an Error whose message says what it expected and found; template and line are added outside. */
export interface Filter {
  /** The names of its named arguments. */
  readonly options?: readonly string[]
  run(call: FilterCall): Data
}

/** A value as text, the way the engine prints it. */
export function asText(value: Data | undefined, what = 'value'): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new Error(`the ${what} is ${kindOf(value)}, expected text`)
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
