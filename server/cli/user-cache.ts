import { stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { getuid } from 'node:process'

/**
 * The folder for what commands need not compute twice: `$XDG_CACHE_HOME/treeboot`, or `~/.cache/treeboot` (XDG Base
 * Directory Specification 0.8; a relative path counts as none). Undefined where it would be another user's, as under
 * `sudo` with HOME kept: that user could say which digests we believe, and could not write there any more after us.
 */
export async function userCacheFolder(
  { XDG_CACHE_HOME: cache = '', HOME: home = '' }: Readonly<Record<string, string | undefined>>,
  uid = getuid?.(),
): Promise<string | undefined> {
  const fromHome = isAbsolute(home) ? join(home, '.cache') : undefined
  const base = isAbsolute(cache) ? cache : fromHome
  if (base === undefined) return undefined
  const ownFolder = join(base, 'treeboot')
  for (const folder of [ownFolder, base, dirname(base)]) {
    const stats = await stat(folder).catch(() => undefined)
    if (stats) return stats.isDirectory() && stats.uid === uid ? ownFolder : undefined
  }
  return undefined
}
