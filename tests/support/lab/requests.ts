import type { Treeboot } from './lab.ts'

/** A request that treeboot's log has as served, or as not served. */
export interface LoggedRequest {
  readonly path: string
  /** When it ended, in milliseconds since 1970. */
  readonly atMs: number
  /** Why it was not served. */
  readonly kind?: string
}

/** The requests for files until now, in the order in which they ended. */
export function requestsOf({ child }: Treeboot): LoggedRequest[] {
  return child.output.text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('"type":"served"'))
    .map((line) => JSON.parse(line) as { path: string; time: string; kind?: string })
    .map(({ path, time, ...more }) => ({ path, atMs: Date.parse(time), ...more }))
}
