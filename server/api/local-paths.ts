import { realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { SnapshotProblem } from '../core/problem.ts'

/**
 * Shortens the paths of this machine in texts that anybody may read: what lies in the folder of the configuration is
 * named from there, and what lies in a configured folder elsewhere by the key of that folder.
 */
export async function pathShortener({ file, paths }: Config): Promise<(text: string) => string> {
  const folders = Object.entries(paths).map(([key, folder]): [string, string] => [folder, `paths.${key}`])
  // Without a file all folders have their defaults, in the folder of the configuration.
  const base = dirname(file ?? paths.data)
  const real = await Promise.all(
    [[base, '.'] as const, ...folders].map(async ([folder, name]) => [await realOf(folder), name] as const),
  )
  const names = [[base, '.'] as const, ...folders, ...real].sort(([a], [b]) => b.length - a.length)
  const inBase = new Set([base, real[0]?.[0]])
  return (text) => {
    let shown = text
    for (const parent of inBase) if (parent !== undefined) shown = replaced(shown, `${parent}/`, '')
    for (const [folder, name] of names) shown = replaced(shown, folder, name)
    return shown
  }
}

/** Replaces a path where it begins a word: `/srv` is not a part of `/mnt/srv`. */
function replaced(text: string, path: string, name: string): string {
  if (path === '/' || path === '//') return text
  return text
    .split(path)
    .reduce((shown, rest) => (/[\w./-]$/.test(shown) ? `${shown}${path}${rest}` : `${shown}${name}${rest}`))
}

export function shortenProblem(
  { severity, where, message, remedy }: SnapshotProblem,
  shorten: (text: string) => string,
): SnapshotProblem {
  return {
    severity,
    where: shorten(where),
    message: shorten(message),
    ...(remedy !== undefined && { remedy: shorten(remedy) }),
  }
}

function realOf(folder: string): Promise<string> {
  return realpath(folder).catch(() => folder)
}
