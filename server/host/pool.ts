import pLimit from 'p-limit'

/**
 * Does the same work for many items, `atOnce` at a time, in their order. After a failure, or when the signal
 * is aborted, no further work begins. The first failure is thrown when all work has ended, so that the caller
 * may then remove or release what the work was writing to.
 */
export async function forEachAtOnce<T>(
  items: Iterable<T>,
  atOnce: number,
  work: (item: T) => Promise<unknown>,
  signal?: AbortSignal,
): Promise<void> {
  const limit = pLimit(atOnce)
  const failures: unknown[] = []
  await limit.map(items, async (item) => {
    if (failures.length > 0) return
    try {
      signal?.throwIfAborted()
      await work(item)
    } catch (error) {
      failures.push(error)
    }
  })
  if (failures.length > 0) throw failures[0]
}
