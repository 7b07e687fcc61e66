import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../../core/failure.ts'
import type { Description } from '../../core/tree/tree.ts'
import { levelsAbove, suggestTreeId } from '../../core/tree/tree-id.ts'
import type { VersionStore } from '../../versions/version-store.ts'
import { type ImportJob, openImportJob } from '../import/import-job.ts'
import { type ImportOptions, type ImportResult, importLocal, publishJob } from '../import/import-tree.ts'
import { fetchFile } from './fetch-file.ts'
import { fetchLists } from './fetch-lists.ts'
import { Fetcher } from './fetcher.ts'
import { crawl, fetchTreeinfo, followTreeinfo } from './follow.ts'
import { ftpUpstream } from './ftp-upstream.ts'
import { httpUpstream } from './http-upstream.ts'
import { earlierOf, lastFolders } from './mirror-place.ts'
import { mirrorByRsync } from './mirror-rsync.ts'
import type { Upstream } from './upstream.ts'
import { UpstreamPool, type Waiting } from './upstream-pool.ts'

export interface MirrorOptions extends ImportOptions {
  /** Only kernel, initrd, second stage and descriptors; the packages stay with the upstream. */
  readonly bootOnly?: boolean
  /** For tests. */
  readonly fetching?: Waiting
}

export interface MirrorResult extends ImportResult {
  /** The upstream has nothing that the version of now has not: nothing was published. */
  readonly unchanged: boolean
}

/**
 * Fetches a tree from one or several mirrors of it, verifies and publishes it. Stopped at any instant it leaves
 * nothing that anyone sees, and a second call goes on where it stopped. A URL of an ISO, a tar archive or a Debian
 * package brings that in instead.
 *
 * @param urls Mirrors of the same tree, the preferred one first.
 */
export async function mirrorTree(
  store: VersionStore,
  urls: readonly string[],
  options: MirrorOptions = {},
): Promise<MirrorResult> {
  const [first] = urls
  if (first === undefined) throw new Failure('bad-request', 'a mirror needs a URL')
  if (options.id !== undefined) await store.checkPlace(options.id, options.replace)
  const job = await openImportJob(
    store.trees,
    `mirror ${first}${options.bootOnly ? ' boot-only' : ''}`,
    'a mirror',
  )
  try {
    if (/^rsync:/i.test(first)) {
      const { kind, file, notes } = await mirrorByRsync(store, job, urls, options)
      if (kind === 'file') return await importFetched(store, job, file, options)
      if (kind === 'tree') return await publishAll(store, job, first, options, notes)
      await job.discard()
      return { trees: [], notes, resumed: job.resumed, unchanged: true }
    }
    const pool = new UpstreamPool(urls.map(upstreamOf), options.fetching)
    return await mirrorFrom(store, job, pool, first, options).finally(() => pool.close())
  } finally {
    await job.release()
  }
}

function upstreamOf(url: string): Upstream {
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  if (protocol === 'http:' || protocol === 'https:') return httpUpstream(url)
  if (protocol === 'ftp:') return ftpUpstream(url)
  if (protocol === 'rsync:')
    throw new Failure(
      'bad-request',
      `${url}: mirrors by rsync and by other ways cannot be mixed for one tree`,
    )
  throw new Failure('bad-request', `${url} is no URL of http, https, ftp or rsync`)
}

async function mirrorFrom(
  store: VersionStore,
  job: ImportJob,
  pool: UpstreamPool,
  url: string,
  options: MirrorOptions,
): Promise<MirrorResult> {
  const description = await probe(job, pool, options)
  const listed = description ? undefined : await crawl(pool, options.signal)
  if (!description && !listed?.length) return importFile(store, job, url, pool, options)

  const above = levelsAbove(description && !options.bootOnly ? description.repositories : [])
  const prefix = lastFolders(url, above)
  const wantedId = options.id ?? (description && suggestTreeId(description))
  const earlier = wantedId === undefined ? undefined : await earlierOf(store, wantedId)
  const fetcher = fetcherOf(job, pool, options, { prefix, earlier: earlier?.folder })
  if (description) {
    await fetchTreeinfo(fetcher)
    const { bootOnly = false, signatures } = options
    await followTreeinfo(fetcher, description, { bootOnly, signed: signatures !== undefined })
  } else await fetcher.fetchAll((listed ?? []).map((path) => ({ path })))
  const unchanged = earlier !== undefined && fetcher.changed === 0 && fetcher.files === earlier.files
  if (unchanged) {
    await job.discard()
    return { trees: [], notes: [], resumed: job.resumed, unchanged }
  }
  const absent = fetcher.absent.map((path) => `${path} is named, and the upstream does not have it`)
  const { damaged } = fetcher
  if (damaged.length > 0 && !options.accept) throw new Failure('invalid-data', describeDamage(damaged))
  return publishAll(store, job, url, options, [...absent, ...damaged], damaged.length > 0)
}

const mostLines = 40

function describeDamage(lines: readonly string[]): string {
  const rest = lines.length > mostLines ? `\n  and ${lines.length - mostLines} more` : ''
  const files = `${lines.length} ${lines.length === 1 ? 'file' : 'files'}`
  return `the upstream has ${files} with other bytes than it names; --accept publishes the tree without:\n${lines
    .slice(0, mostLines)
    .map((line) => `  ${line}`)
    .join('\n')}${rest}`
}

function fetcherOf(
  job: ImportJob,
  pool: UpstreamPool,
  { onProgress = () => undefined, signal }: MirrorOptions,
  { prefix, earlier }: { prefix: string; earlier: string | undefined },
  root = job.tree,
): Fetcher {
  const parts = join(job.folder, 'part')
  return new Fetcher({ pool, root, prefix, earlier, parts, onProgress, options: signal ? { signal } : {} })
}

/** What the upstream says that it is. Read aside, for where it belongs depends on it. */
async function probe(
  job: ImportJob,
  pool: UpstreamPool,
  options: MirrorOptions,
): Promise<Description | undefined> {
  const root = join(job.folder, 'probe')
  await rm(root, { recursive: true, force: true })
  const { onProgress: _, ...quiet } = options
  return fetchTreeinfo(fetcherOf(job, pool, quiet, { prefix: '', earlier: undefined }, root))
}

/** A URL that is no folder: one file that a tree comes in. */
async function importFile(
  store: VersionStore,
  job: ImportJob,
  url: string,
  pool: UpstreamPool,
  options: MirrorOptions,
): Promise<MirrorResult> {
  const bare = url.replace(/\/+$/, '')
  const name = bare.slice(bare.lastIndexOf('/') + 1)
  const above = (each: Upstream) => upstreamOf(new URL('.', each.url.replace(/\/+$/, '')).href)
  const parents = new UpstreamPool(pool.upstreams.map(above), options.fetching)
  const file = join(job.folder, 'download')
  const { signal, onProgress, signatures } = options
  let doneBytes = 0
  let totalBytes: number | undefined
  try {
    const found = await fetchFile(parents, { path: decodeURIComponent(name) }, file, {
      ...(signal && { signal }),
      onStart: (position, size) => {
        doneBytes = position
        totalBytes = size
      },
      onBytes: (bytes) => {
        doneBytes += bytes
        onProgress?.({
          stage: 'fetching',
          doneBytes,
          ...(totalBytes !== undefined && { totalBytes }),
          file: name,
        })
      },
    })
    if (!found)
      throw new Failure('not-found', `${bare} is no tree (no .treeinfo, no listing) and no file either`)
    const lists =
      signatures &&
      (await fetchLists(
        join(job.folder, 'lists'),
        parents,
        decodeURIComponent(name),
        signal ? { signal } : {},
      ))
    return await importFetched(store, job, file, { ...options, ...(lists && { image: lists }) })
  } finally {
    await parents.close()
  }
}

async function importFetched(
  store: VersionStore,
  job: ImportJob,
  file: string,
  options: MirrorOptions,
): Promise<MirrorResult> {
  const outcome = await importLocal(store, file, { ...options, hardLink: true })
  if (outcome.trees.every(({ result }) => result.outcome === 'published')) await job.discard()
  return { ...outcome, unchanged: false }
}

async function publishAll(
  store: VersionStore,
  job: ImportJob,
  url: string,
  options: MirrorOptions,
  notes: readonly string[],
  /** Something that the upstream has is not here: what is missing is a fault then, and recorded with who accepted it. */
  isDamaged = false,
): Promise<MirrorResult> {
  const trees = await publishJob(store, job, url, options, {
    partial: !isDamaged,
    ...(options.bootOnly && { upstream: url }),
  })
  if (trees.every(({ result }) => result.outcome === 'published')) await job.discard()
  return { trees, notes, resumed: job.resumed, unchanged: false }
}
