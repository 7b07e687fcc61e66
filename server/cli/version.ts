import { readFileSync } from 'node:fs'

/** The version in package.json: two folders above `server/cli`, three above `dist/server/cli`. */
export function packageVersion(): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      const found = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as {
        name?: string
        version?: string
      }
      if (found.name === 'treeboot' && found.version) return found.version
    } catch {
      // Not in this folder: the loop tries the next one.
    }
  }
  return 'unknown'
}
