import { readFile } from 'node:fs/promises'
import { appendLines } from './durable.ts'
import { folderOfId } from './layout.ts'

/**
 * One line of a tree's history: from `atMs` on, `version` was its current version.
 *
 * Which version is current is said by the public link alone, because that is what clients see. The history says
 * since when, and which publications are finished: a complete version with a higher number than any line names
 * was moved into place by a process that did not live to switch to it.
 */
export interface VersionSwitch {
  readonly atMs: number
  /** `adopt`: a folder that was placed by hand became a version, to make room for another. */
  readonly action: 'publish' | 'rollback' | 'adopt'
  readonly version: number
  /** The highest number in use then, if it is higher: what has it was given up by this switch. */
  readonly newest?: number
  /** Who published or rolled back, if that is known. */
  readonly by?: string
}

function historyFile(trees: string, id: string): string {
  return `${folderOfId(trees, id)}/history`
}

/** All switches, oldest first. A line that a crash cut off is left out. */
export async function readHistory(trees: string, id: string): Promise<readonly VersionSwitch[]> {
  const text = await readFile(historyFile(trees, id), 'utf8').catch(() => '')
  return text.split('\n').flatMap((line) => {
    try {
      const value = JSON.parse(line) as VersionSwitch
      return typeof value.version === 'number' && typeof value.atMs === 'number' ? [value] : []
    } catch {
      return []
    }
  })
}

export function addToHistory(trees: string, id: string, entries: readonly VersionSwitch[]): Promise<void> {
  return appendLines(
    historyFile(trees, id),
    entries.map((entry) => JSON.stringify(entry)),
  )
}

/** The highest number that the history knows; 0 for none. */
export function newestIn(history: readonly VersionSwitch[]): number {
  return Math.max(0, ...history.map(({ version, newest = 0 }) => Math.max(version, newest)))
}

/** When a version stopped being the current one; undefined when it never was, or still is. */
export function retiredMs(history: readonly VersionSwitch[], version: number): number | undefined {
  const last = history.findLastIndex((entry) => entry.version === version)
  return last < 0 ? undefined : history[last + 1]?.atMs
}
