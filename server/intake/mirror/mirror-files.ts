import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type { Description } from '../../core/tree/tree.ts'
import { FreeSpace } from '../../host/free-space.ts'
import { crawl } from './crawl.ts'
import { type FetchOptions, fetchFile } from './fetch-file.ts'
import { fetchLists } from './fetch-lists.ts'
import { Fetcher, type FetcherContext } from './fetcher.ts'
import { fetchTreeinfo, followTreeinfo } from './follow-treeinfo.ts'
import { FtpUpstream } from './ftp-upstream.ts'
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
  #description: Description | undefined
  #listed: readonly string[] = []

  constructor(context: MirrorContext) {
    this.#context = context
    this.#pool = new UpstreamPool(context.urls.map(upstreamOf), context.options.fetching)
  }

  /**
   * Looks for a `.treeinfo`, else for files in index pages. The `.treeinfo` is fetched into a folder of its
   * own, since its repositories decide below which folder of the new version the tree goes: for a repository
   * at `../../../AppStream` that folder is some levels deep.
   */
  async probe(): Promise<Probe> {
    const { job, options } = this.#context
    const root = join(job.folder, 'probe')
    await rm(root, { recursive: true, force: true })
    const onProgress = () => undefined
    this.#description = await fetchTreeinfo(
      this.#fetcher({ root, prefix: '', currentVersion: undefined, onProgress }),
    )
    if (this.#description) return { kind: 'tree', description: this.#description }
    this.#listed = (await crawl(this.#pool, options.signal)) ?? []
    return this.#listed.length > 0 ? { kind: 'tree', description: undefined } : { kind: 'file' }
  }

  async fetchTree({ prefix, current }: TreeDestination): Promise<FetchedTree> {
    const { job, options } = this.#context
    const { onProgress = () => undefined, bootOnly = false, signatures } = options
    const fetcher = this.#fetcher({ root: job.tree, prefix, currentVersion: current?.folder, onProgress })
    if (this.#description) {
      // A second time: the probe fetched it into the folder `probe`, and this fetcher writes into the tree.
      await fetchTreeinfo(fetcher)
      await followTreeinfo(fetcher, this.#description, { bootOnly, signed: signatures !== undefined })
    } else await fetcher.fetchAll(this.#listed.map((path) => ({ path })))
    const { absent, damaged } = fetcher
    const leftOut = absent.map(
      (path) => `${path} is left out: the tree names it, and the upstream does not have it`,
    )
    return {
      unchanged: current !== undefined && fetcher.changed === 0 && fetcher.files === current.files,
      notes: [...fetcher.notes, ...leftOut],
      damaged,
    }
  }

  /** Fetches the file that the URL names, and the checksum lists beside it when signatures are checked. */
  async fetchFile(): Promise<FetchedFile> {
    const { job, urls, options } = this.#context
    const { signal, onProgress, signatures } = options
    const url = (urls[0] ?? '').replace(/\/+$/, '')
    const name = decodeURIComponent(url.slice(url.lastIndexOf('/') + 1))
    // The folder that holds the file, on each mirror. The file has the same name on all of them.
    const folderPool = new UpstreamPool(urls.map(parentOf).map(upstreamOf), options.fetching)
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

function upstreamOf(url: string): Upstream {
  const protocol = URL.canParse(url) ? new URL(url).protocol : ''
  if (protocol === 'http:' || protocol === 'https:') return new HttpUpstream(url)
  if (protocol === 'ftp:') return new FtpUpstream(url)
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
