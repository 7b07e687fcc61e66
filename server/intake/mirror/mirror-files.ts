import { mkdir, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { FreeSpace } from '../../host/free-space.ts'
import { othersBelow } from '../../host/links.ts'
import { TreeLinks } from '../import/tree-links.ts'
import type { AddressGuard } from './address-guard.ts'
import { Crawl } from './crawl.ts'
import { type FetchOptions, fetchFile } from './fetch-file.ts'
import { fetchLists } from './fetch-lists.ts'
import { Fetcher, type FetcherContext } from './fetcher.ts'
import { type FetchedTreeinfo, fetchTreeinfo, followTreeinfo } from './follow-treeinfo.ts'
import { FtpUpstream } from './ftp-upstream.ts'
import { fetchHidden } from './hidden-files.ts'
import { HttpUpstream } from './http-upstream.ts'
import type {
  FetchedFile,
  FetchedTree,
  MirrorContext,
  MirrorMethod,
  MirrorOptions,
  Probe,
  TreeDestination,
} from './options.ts'
import { resolveTwins } from './twins.ts'
import type { Upstream } from './upstream.ts'
import { UpstreamPool } from './upstream-pool.ts'

/**
 * Mirrors over HTTP and FTP, file by file: the files that the descriptors name, or that the index pages list.
 */
export function mirrorByFiles(context: MirrorContext): MirrorMethod {
  return new FileMirror(context)
}

class FileMirror implements MirrorMethod {
  readonly #context: MirrorContext
  readonly #pool: UpstreamPool
  #treeinfo: FetchedTreeinfo | undefined
  #crawl: Crawl | undefined

  constructor(context: MirrorContext) {
    this.#context = context
    this.#pool = poolOf(context.urls, context.options)
  }

  /**
   * Looks for a `.treeinfo` of the tree's own, else for files in index pages. The `.treeinfo` is fetched into a folder of its
   * own, since its repositories decide below which folder of the new version the tree goes: for a repository
   * at `../../../AppStream` that folder is some levels deep.
   */
  async probe(): Promise<Probe> {
    const { options } = this.#context
    await rm(this.#probeFolder, { recursive: true, force: true })
    const found = await fetchTreeinfo(this.#trialFetcher())
    // One that another treeboot made knows only what boots. Nothing more is wanted of a tree whose packages stay there.
    if (found && (!found.made || options.bootOnly)) {
      this.#treeinfo = found
      return { kind: 'tree', description: found.description }
    }
    this.#crawl = new Crawl(this.#pool, options.signal, found?.made)
    await this.#crawl.walk()
    if (this.#crawl.files.length === 0) return { kind: 'file' }
    // What lies beside the tree is not fetched.
    return { kind: 'tree', description: found && { ...found.description, repositories: [] } }
  }

  async fetchTree({ prefix, current }: TreeDestination): Promise<FetchedTree> {
    const { job, options } = this.#context
    const { onProgress = () => undefined, bootOnly = false, signatures } = options
    await mkdir(job.tree, { recursive: true })
    // Of an earlier run: nothing is written through a link.
    for await (const place of othersBelow(job.tree)) await rm(place, { force: true })
    const fetcher = this.#fetcher({ root: job.tree, prefix, currentVersion: current?.folder, onProgress })
    if (this.#treeinfo) {
      // A second time: the probe fetched it into the folder `probe`, and this fetcher writes into the tree.
      await fetchTreeinfo(fetcher)
      await followTreeinfo(fetcher, this.#treeinfo, { bootOnly, signed: signatures !== undefined })
    }
    const links = this.#crawl && (await this.#fetchListed(this.#crawl, fetcher))
    const { absent, damaged, suspects } = fetcher
    const leftOut = absent.map(
      (path) => `${path} is left out: the tree names it, and the upstream does not have it`,
    )
    return {
      unchanged:
        current !== undefined &&
        fetcher.changed === 0 &&
        fetcher.files === current.files &&
        (await areSameLinks(links ?? [], job.tree, current.folder)),
      notes: [...fetcher.notes, ...leftOut],
      damaged,
      suspects,
    }
  }

  /** Fetches what the upstream lists, each folder once, and makes its links. Returns the links. */
  async #fetchListed(crawl: Crawl, fetcher: Fetcher): Promise<readonly ListedLink[]> {
    const { job, options } = this.#context
    await fetcher.fetchAll(crawl.files.map((path) => ({ path })))
    const twins = await resolveTwins({ crawl, fetcher, pool: this.#pool, signal: options.signal })
    await fetchHidden({ crawl, fetcher, trial: this.#trialFetcher() })
    const links = [...crawl.links, ...twins]
    const made = new TreeLinks(job.tree)
    for (const { path, target } of links) {
      // What an earlier run took for a folder or file of its own.
      await rm(fetcher.place(path), { recursive: true, force: true })
      const note = made.add({ path, target, hard: false })
      if (note !== undefined) fetcher.notes.push(note)
    }
    fetcher.notes.push(...crawl.notes, ...(await made.make(makeFolder)))
    return links
  }

  /** Fetches the file that the URL names, and the checksum lists beside it when signatures are checked. */
  async fetchFile(): Promise<FetchedFile> {
    const { job, urls, options } = this.#context
    const { signal, onProgress, signatures } = options
    const url = (urls[0] ?? '').replace(/\/+$/, '')
    const name = decodeURIComponent(url.slice(url.lastIndexOf('/') + 1))
    // The folder that holds the file, on each mirror. The file has the same name on all of them.
    const folderPool = poolOf(urls.map(parentOf), options)
    const file = join(job.folder, 'download')
    try {
      const space = new FreeSpace(job.folder, options.minFree)
      const reporting = { space, ...defined({ signal }), ...reportTo(onProgress, name) }
      if (!(await fetchFile(folderPool, { path: name }, file, reporting)))
        throw new Failure(
          'not-found',
          `${url} is neither a tree (no .treeinfo, no listing) nor a file that exists`,
        )
      if (!signatures) return { file }
      const listing = await fetchLists(join(job.folder, 'lists'), folderPool, name, defined({ signal }))
      return { file, listing }
    } finally {
      await folderPool.close()
    }
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  get #probeFolder(): string {
    return join(this.#context.job.folder, 'probe')
  }

  #trialFetcher(): Fetcher {
    const onProgress = () => undefined
    return this.#fetcher({ root: this.#probeFolder, prefix: '', currentVersion: undefined, onProgress })
  }

  #fetcher(more: Omit<FetcherContext, 'pool' | 'parts' | 'signal' | 'space'>): Fetcher {
    const { job, options } = this.#context
    return new Fetcher({
      pool: this.#pool,
      parts: join(job.folder, 'part'),
      signal: options.signal,
      space: new FreeSpace(job.folder, options.minFree),
      ...more,
    })
  }
}

type ListedLink = Crawl['links'][number]

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
}

/** Whether two folders have the same links. One that was left out is in neither. */
async function areSameLinks(links: readonly ListedLink[], first: string, second: string): Promise<boolean> {
  const targetIn = (folder: string, path: string) => readlink(join(folder, path)).catch(() => undefined)
  for (const { path } of links)
    if ((await targetIn(first, path)) !== (await targetIn(second, path))) return false
  return true
}

function poolOf(urls: readonly string[], { fetching, onRetry, guard }: MirrorOptions): UpstreamPool {
  return new UpstreamPool(
    urls.map((url) => upstreamOf(url, guard)),
    fetching,
    onRetry,
  )
}

function upstreamOf(url: string, guard: AddressGuard | undefined): Upstream {
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  if (protocol === 'http:' || protocol === 'https:') return new HttpUpstream(url, guard)
  if (protocol === 'ftp:') return new FtpUpstream(url, guard)
  if (protocol === 'rsync:')
    throw new Failure('bad-request', `${url}: rsync cannot be mixed with http or ftp for one tree`)
  throw new Failure('bad-request', `${url} is not a URL of http, https, ftp or rsync`)
}

/** The folder above a file. */
function parentOf(url: string): string {
  return new URL('.', url.replace(/\/+$/, '')).href
}

function reportTo(onProgress: MirrorOptions['onProgress'], file: string): FetchOptions {
  if (!onProgress) return {}
  let doneBytes = 0
  let totalBytes: number | undefined
  return {
    onStart: (position, size) => {
      doneBytes = position
      totalBytes = size
    },
    onBytes: (bytes) => {
      doneBytes += bytes
      onProgress({ stage: 'fetching', doneBytes, file, ...defined({ totalBytes }) })
    },
  }
}
