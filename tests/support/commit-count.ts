import { execFileSync } from 'node:child_process'

/** How many commits there are: each change tries another share of what is too slow to try in full. */
export function commitCount(): number {
  try {
    return Number(
      execFileSync('git', ['rev-list', '--count', 'HEAD'], { stdio: ['ignore', 'pipe', 'ignore'] }),
    )
  } catch {
    return 0 // not a repository: a copy of the sources
  }
}
