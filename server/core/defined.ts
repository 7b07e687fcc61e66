/** The type of `defined(values)`: a key whose value may be undefined becomes an optional key. */
export type Defined<T> = { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/**
 * Copies an object without the keys whose value is undefined, as `exactOptionalPropertyTypes` wants it:
 * `defined({ mac, uuid })` instead of `{ ...(mac !== undefined && { mac }), ...(uuid !== undefined && { uuid
 * }) }`. Not for work that is done for each packet or each file: it makes an object and reads its keys one by
 * one.
 */
export function defined<T extends object>(values: T): Defined<T> {
  const kept: Record<string, unknown> = {}
  for (const key in values) if (values[key] !== undefined) kept[key] = values[key]
  return kept as Defined<T>
}
