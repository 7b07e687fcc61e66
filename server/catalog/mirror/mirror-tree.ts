import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../../core/failure.ts'
import type { Description } from '../../core/tree/tree.ts'
import { levelsAbove, suggestTreeId } from '../../core/tree/tree-id.ts'
import { type ImportOptions, type ImportOutcome, importLocal, publishJob } from '../import/import-tree.ts'
import { type Job, openJob } from '../import/staging.ts'
import { folderOfVersion } from '../versions/layout.ts'
import type { VersionStore } from '../versions/version-store.ts'
import { type FetchOptions, fetchFile } from './fetch-file.ts'
import { fetchLists } from './fetch-lists.ts'
import { Fetcher } from './fetcher.ts'
import { crawl, fetchTreeinfo, followTreeinfo } from './follow.ts'
import { ftpUpstream } from './ftp-upstream.ts'
import { httpUpstream } from './http-upstream.ts'
import { rsyncTree } from './rsync.ts'
import type { Upstream } from './upstream.ts'

export interface MirrorOptions extends ImportOptions {
  /** Only kernel, initrd, second stage and descriptors; the packages stay with the upstream. */
  readonly bootOnly?: boolean
  /** For tests. */
  readonly fetching?: Pick<FetchOptions, 'pause' | 'chance'>
}

export interface MirrorOutcome extends ImportOutcome {
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
): Promise<MirrorOutcome> {
  const [first] = urls
  if (first === undefined) throw new Failure('bad-request', 'a mirror needs a URL')
  if (options.id !== undefined) await store.checkPlace(options.id, options.replace)
  const job = await openJob(store.trees, `mirror ${first}${options.bootOnly ? ' boot-only' : ''}`, 'a mirror')
  const upstreams: Upstream[] = []
  try {
    if (/^rsync:/i.test(first)) {
      await rsyncTree(first, job.tree, options)
      return await publishAll(store, job, first, options, undefined)
    }
    upstreams.push(...urls.map(upstreamOf))
    return await mirrorFrom(store, job, upstreams, options)
  } finally {
    await Promise.all(upstreams.map((upstream) => upstream.close().catch(() => undefined)))
    await job.release()
  }
}

function upstreamOf(url: string): Upstream {
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  if (protocol === 'http:' || protocol === 'https:') return httpUpstream(url)
  if (protocol === 'ftp:') return ftpUpstream(url)
  throw new Failure('bad-request', `${url} is no URL of http, https, ftp or rsync`)
}

async function mirrorFrom(
  store: VersionStore,
  job: Job,
  upstreams: readonly Upstream[],
  options: MirrorOptions,
): Promise<MirrorOutcome> {
  const [first] = upstreams
  if (!first) throw new Failure('bad-request', 'a mirror needs a URL')
  const description = await probe(job, upstreams, options)
  const listed = description ? undefined : await crawlAny(upstreams, options)
  if (!description && !listed) return importFile(store, job, first.url, upstreams, options)

  const above = levelsAbove(description && !options.bootOnly ? description.repositories : [])
  const prefix = lastFolders(first.url, above)
  const wantedId = options.id ?? (description && suggestTreeId(description))
  const earlier = wantedId === undefined ? undefined : await earlierOf(store, wantedId)
  const fetcher = fetcherOf(job, upstreams, options, { prefix, earlier: earlier?.folder })
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
  const outcome = await publishAll(store, job, first.url, options, options.bootOnly ? first.url : undefined)
  const absent = fetcher.absent.map((path) => `${path} is named, and the upstream does not have it`)
  return { ...outcome, notes: [...absent, ...outcome.notes] }
}

function fetcherOf(
  job: Job,
  upstreams: readonly Upstream[],
  { onProgress = () => undefined, signal, fetching }: MirrorOptions,
  { prefix, earlier }: { prefix: string; earlier: string | undefined },
  root = job.tree,
): Fetcher {
  return new Fetcher({
    upstreams,
    root,
    prefix,
    earlier,
    parts: join(job.folder, 'part'),
    onProgress,
    options: { ...fetching, ...(signal && { signal }) },
  })
}

/** What the upstream says that it is. Read aside, for where it belongs depends on it. */
async function probe(
  job: Job,
  upstreams: readonly Upstream[],
  options: MirrorOptions,
): Promise<Description | undefined> {
  const root = join(job.folder, 'probe')
  await rm(root, { recursive: true, force: true })
  const { onProgress: _, ...quiet } = options
  return fetchTreeinfo(fetcherOf(job, upstreams, quiet, { prefix: '', earlier: undefined }, root))
}

async function crawlAny(
  upstreams: readonly Upstream[],
  { signal }: MirrorOptions,
): Promise<readonly string[] | undefined> {
  for (const upstream of upstreams) {
    const files = await crawl(upstream, signal)
    if (files && files.length > 0) return files
  }
  return undefined
}

/** A URL that is no folder: one file that a tree comes in. */
async function importFile(
  store: VersionStore,
  job: Job,
  url: string,
  upstreams: readonly Upstream[],
  options: MirrorOptions,
): Promise<MirrorOutcome> {
  const bare = url.replace(/\/+$/, '')
  const name = bare.slice(bare.lastIndexOf('/') + 1)
  const parents = upstreams.map(({ url: each }) => upstreamOf(new URL('.', each.replace(/\/+$/, '')).href))
  const file = join(job.folder, 'download')
  const { signal, onProgress, fetching, signatures } = options
  let doneBytes = (await stat(file).catch(() => undefined))?.size ?? 0
  try {
    const found = await fetchFile(parents, { path: decodeURIComponent(name) }, file, {
      ...fetching,
      ...(signal && { signal }),
      onBytes: (bytes) => {
        doneBytes += bytes
        onProgress?.({ stage: 'fetching', doneBytes, file: name })
      },
    })
    if (!found)
      throw new Failure('not-found', `${bare} is no tree (no .treeinfo, no listing) and no file either`)
    const quiet = { ...fetching, ...(signal && { signal }) }
    const lists =
      signatures && (await fetchLists(join(job.folder, 'lists'), parents, decodeURIComponent(name), quiet))
    const outcome = await importLocal(store, file, {
      ...options,
      ...(lists && { image: lists }),
      hardLink: true,
    })
    if (outcome.trees.every(({ release }) => release.outcome === 'published')) await job.discard()
    return { ...outcome, unchanged: false }
  } finally {
    await Promise.all(parents.map((parent) => parent.close().catch(() => undefined)))
  }
}

async function publishAll(
  store: VersionStore,
  job: Job,
  url: string,
  options: MirrorOptions,
  upstream: string | undefined,
): Promise<MirrorOutcome> {
  const trees = await publishJob(store, job, url, options, {
    partial: true,
    ...(upstream !== undefined && { upstream }),
  })
  if (trees.every(({ release }) => release.outcome === 'published')) await job.discard()
  return { trees, notes: [], resumed: job.resumed, unchanged: false }
}

async function earlierOf(
  store: VersionStore,
  id: string,
): Promise<{ folder: string; files: number } | undefined> {
  const current = (await store.versions(id)).find((version) => version.current && version.kind === 'folder')
  return current && { folder: folderOfVersion(store.trees, id, current.version), files: current.files }
}

/** `https://host/9/BaseOS/x86_64/os/` with 3 is `BaseOS/x86_64/os`. */
function lastFolders(url: string, count: number): string {
  if (count === 0) return ''
  const parts = decodeURIComponent(new URL(url).pathname).split('/').filter(Boolean)
  if (parts.length < count)
    throw new Failure(
      'invalid-data',
      `${url} names repositories ${count} folders above it, and there are none`,
    )
  return parts.slice(-count).join('/')
}
