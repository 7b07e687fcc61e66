import { readFileSync } from 'node:fs'

/** The version in package.json, which lies two folders above both `server/cli` and `dist/server/cli`' parents. */
export function packageVersion(): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      const found = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as {
        name?: string
        version?: string
      }
      if (found.name === 'treeboot' && found.version) return found.version
    } catch {
      // Not there: the other place is tried next.
    }
  }
  return 'unknown'
}
