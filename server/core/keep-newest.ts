/** Puts a value into a map of at most `most` entries, as its newest; the oldest makes room. */
export function keepNewest<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, most: number): void {
  map.delete(key)
  const oldest = map.size >= most ? map.keys().next() : undefined
  if (oldest && !oldest.done) map.delete(oldest.value)
  map.set(key, value)
}
