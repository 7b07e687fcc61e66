import { stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { getuid } from 'node:process'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The folder for what commands need not compute twice: `$XDG_CACHE_HOME/treeboot`, or `~/.cache/treeboot` (XDG Base
 * Directory Specification 0.8; a relative path counts as none). Undefined where it would be another user's, as under
 * `sudo` with HOME kept: that user could say which digests we believe, and could not write there any more after us.
 */
export function userCacheFolder(environment: Environment, uid = getuid?.()): Promise<string | undefined> {
  return ownFolder(environment.XDG_CACHE_HOME, environment.HOME, '.cache', uid)
}

/** The folder for what a user sets: `$XDG_CONFIG_HOME/treeboot`, or `~/.config/treeboot`. The same holds for it. */
export function userConfigFolder(environment: Environment, uid = getuid?.()): Promise<string | undefined> {
  return ownFolder(environment.XDG_CONFIG_HOME, environment.HOME, '.config', uid)
}

async function ownFolder(
  named = '',
  home = '',
  belowHome: string,
  uid: number | undefined,
): Promise<string | undefined> {
  const fromHome = isAbsolute(home) ? join(home, belowHome) : undefined
  const base = isAbsolute(named) ? named : fromHome
  if (base === undefined) return undefined
  const own = join(base, 'treeboot')
  for (const folder of [own, base, dirname(base)]) {
    const stats = await stat(folder).catch(() => undefined)
    if (stats) return stats.isDirectory() && stats.uid === uid ? own : undefined
  }
  return undefined
}
