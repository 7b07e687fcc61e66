import type { Treeboot } from './lab.ts'

/** A request that treeboot's log has as served, or as not served. */
export interface LoggedRequest {
  readonly path: string
  /** In milliseconds since 1970. */
  readonly beganMs: number
  readonly endedMs: number
  /** Why it was not served. */
  readonly kind?: string
}

/** The requests for files until now, in the order in which they ended. */
export function requestsOf({ child }: Treeboot): LoggedRequest[] {
  return child.output.text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('"type":"served"'))
    .map((line) => JSON.parse(line) as { path: string; time: string; ms: number; kind?: string })
    .map(({ path, time, ms, ...more }) => {
      const endedMs = Date.parse(time)
      return { path, beganMs: endedMs - ms, endedMs, ...more }
    })
}
