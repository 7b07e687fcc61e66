/**
 * Puts a value into a map of at most `limit` entries, as the newest. The oldest entry of a full map is
 * removed.
 */
export function keepNewest<Key, Value>(map: Map<Key, Value>, key: Key, value: Value, limit: number): void {
  map.delete(key)
  const oldest = map.size >= limit ? map.keys().next() : undefined
  if (oldest && !oldest.done) map.delete(oldest.value)
  map.set(key, value)
}
