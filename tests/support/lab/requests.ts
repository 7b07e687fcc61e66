import type { Treeboot } from './lab.ts'

/** A request for a file, as treeboot's log has it. */
export interface LoggedRequest {
  readonly path: string
  readonly outcome: string
  /** In milliseconds since 1970. */
  readonly beganMs: number
  readonly endedMs: number
}

/** The requests for files until now, in the order in which they ended. */
export function requestsOf({ child }: Treeboot): LoggedRequest[] {
  return child.output.text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('"type":"served"'))
    .map((line) => JSON.parse(line) as { path: string; time: string; ms: number; outcome: string })
    .map(({ path, time, ms, outcome }) => {
      const endedMs = Date.parse(time)
      return { path, outcome, beganMs: endedMs - ms, endedMs }
    })
}
