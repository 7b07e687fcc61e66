import { vi } from 'vitest'

/**
 * Asks again every 5 ms until `check` neither throws nor rejects, and gives what it returned.
 * What is waited for mostly comes within a millisecond or two; vitest's own 50 ms added up to a minute of the suite.
 */
export function eventually<T>(check: () => T | Promise<T>, timeoutMs = 5000): Promise<T> {
  return vi.waitFor(check, { timeout: timeoutMs, interval: 5 })
}
