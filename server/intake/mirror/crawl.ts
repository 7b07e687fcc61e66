import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'
import type { UpstreamPool } from './upstream-pool.ts'

/** Beyond these limits the URL is that of a whole mirror, or its folders have no end. */
const maxListed = upstreamLimits.crawl.entries
const maxDepth = upstreamLimits.crawl.depth

/**
 * Lists every file of an upstream by its index pages or FTP listings, for trees without a `.treeinfo`. Paths
 * are relative to the upstream. Undefined when the upstream does not list anything.
 */
export async function crawl(
  pool: UpstreamPool,
  signal?: AbortSignal,
): Promise<readonly string[] | undefined> {
  const options = { isOptional: true, ...defined({ signal }) }
  const files: string[] = []
  let level: readonly string[] = ['']
  let isListed = false
  for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
    const below: string[] = []
    for (const folder of level) {
      const names = await pool.ask(folder, (upstream) => upstream.list(folder, signal), options)
      isListed ||= names !== undefined
      for (const name of names ?? []) (name.endsWith('/') ? below : files).push(`${folder}${name}`)
      checkCount(files.length + below.length, pool)
    }
    level = below
  }
  if (level.length > 0)
    throw new Failure(
      'too-large',
      `${pool.upstreams[0]?.url}${level[0]} is more than ${maxDepth} folders deep; name the folder of one tree`,
    )
  return isListed ? files : undefined
}

function checkCount(listed: number, pool: UpstreamPool): void {
  if (listed <= maxListed) return
  throw new Failure(
    'too-large',
    `${pool.upstreams[0]?.url} lists more than ${maxListed} files; name the folder of one installation tree in it`,
  )
}
