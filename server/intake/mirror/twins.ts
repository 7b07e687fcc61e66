import { type FileHandle, open } from 'node:fs/promises'
import { posix } from 'node:path'
import { defined } from '../../core/defined.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import { upstreamLimits } from '../../core/limits/upstreams.ts'
import { forEachAtOnce } from '../../host/pool.ts'
import { type Crawl, keyOf, type Twin } from './crawl.ts'
import type { Fetcher } from './fetcher.ts'
import { type RemoteBody, type RemoteName, TransientFailure, type Upstream } from './upstream.ts'
import type { UpstreamPool } from './upstream-pool.ts'

/**
 * The bytes at the end of a file that are compared. There are the checksum of gzip and the index of xz, and a
 * `Release` of Debian as a whole. With them, size and time must be the same.
 */
const tailBytes = 16 * 1024
const concurrentFiles = 6
/** The most files and folders that are asked for: each of the largest tree, for two loops. */
const maxAsked = 2 * upstreamLimits.crawl.entries

export interface TwinContext {
  readonly crawl: Crawl
  readonly pool: UpstreamPool
  /** It has fetched all files of the crawl. */
  readonly fetcher: Fetcher
  readonly signal: AbortSignal | undefined
}

/**
 * Finds out which twins are one folder under two paths, and fetches the others. A folder is another's twin when both
 * list the same names, and each file below them is the same as the fetched one. One difference is enough to fetch the
 * folder as it is, so nothing is dropped that is not there already.
 *
 * @returns The twins, as links from one path to the other.
 */
export async function resolveTwins(
  context: TwinContext,
): Promise<readonly { path: string; target: string }[]> {
  const { crawl, fetcher } = context
  const finder = new TwinFinder(context)
  const links: { path: string; target: string }[] = []
  for (let twin = nextOf(crawl); twin; twin = nextOf(crawl)) {
    const { folder } = twin
    const original = await finder.originalOf(twin)
    if (original !== undefined) {
      const path = folder.slice(0, -1)
      links.push({ path, target: posix.relative(posix.dirname(path), original.slice(0, -1)) || '.' })
      continue
    }
    const before = crawl.files.length
    await crawl.walk(folder)
    await fetcher.fetchAll(crawl.files.slice(before).map((path) => ({ path })))
  }
  return links
}

/** Takes the next twin: the deepest first, and those that hold themselves last, since others lie in them. */
function nextOf(crawl: Crawl): Twin | undefined {
  const isLoop = (twin: Twin): boolean => twin.folder.startsWith(crawl.originalsOf(twin)[0] ?? twin.folder)
  const depth = ({ folder }: Twin): number => folder.split('/').length
  const sorted = crawl.twins
    .map((twin) => ({ twin, loops: isLoop(twin) ? 1 : 0 }))
    .sort((a, b) => a.loops - b.loops || depth(b.twin) - depth(a.twin))
  const next = sorted[0]?.twin
  if (next) crawl.twins.splice(crawl.twins.indexOf(next), 1)
  return next
}

class TwinFinder {
  readonly #context: TwinContext
  /** What each twin is, or is taken for until it is known to be a folder of its own. */
  readonly #originals = new Map<string, string>()
  #asked = 0
  /** Files. */
  #compared = 0

  constructor(context: TwinContext) {
    this.#context = context
  }

  /** The folder that a twin is. Undefined when it is a folder of its own. */
  async originalOf(twin: Twin): Promise<string | undefined> {
    const { crawl } = this.#context
    for (const each of crawl.twins) {
      const [first] = crawl.originalsOf(each)
      if (first !== undefined) this.#originals.set(each.folder, first)
    }
    for (const original of crawl.originalsOf(twin)) {
      this.#originals.set(twin.folder, original)
      const before = this.#compared
      // Folders without files prove nothing.
      if ((await this.#isSameFolder(twin.folder, original)) && this.#compared > before) return original
    }
    this.#originals.delete(twin.folder)
    return undefined
  }

  async #isSameFolder(folder: string, of: string): Promise<boolean> {
    const { signal } = this.#context
    const names = await this.#sameNames(folder, of)
    if (!names) return false
    const plain = names.filter(({ target }) => target === undefined).map(({ name }) => name)
    let isSame = true
    const files = plain.filter((name) => !name.endsWith('/'))
    await forEachAtOnce(
      files,
      concurrentFiles,
      async (name) => {
        if (isSame && !(await this.#isSameFile(`${folder}${name}`, `${of}${name}`))) isSame = false
      },
      signal,
    )
    for (const name of plain.filter((each) => each.endsWith('/')))
      isSame &&= await this.#isSameBelow(`${folder}${name}`, `${of}${name}`)
    return isSame
  }

  /** As `#isSameFolder`, for a folder in `of` that may be a twin itself. */
  async #isSameBelow(folder: string, original: string): Promise<boolean> {
    const to = this.#originals.get(original)
    if (to === undefined) return this.#isSameFolder(folder, original)
    // A folder that holds itself: what it holds has been compared, or is being compared now.
    if (original.startsWith(to)) return (await this.#sameNames(folder, to)) !== undefined
    return this.#isSameFolder(folder, to)
  }

  /** The names in a folder, if they are those of another. */
  async #sameNames(folder: string, of: string): Promise<readonly RemoteName[] | undefined> {
    const { crawl } = this.#context
    this.#count()
    // A folder that cannot be listed holds nothing for us, under each of its paths.
    const names = (await crawl.namesIn(folder)) ?? []
    return keyOf(names) === keyOf(await crawl.namesIn(of)) ? names : undefined
  }

  #count(): void {
    const { pool } = this.#context
    if (++this.#asked > maxAsked)
      throw new Failure('too-large', `${pool.upstreams[0]?.url} shows too many folders under several paths`)
  }

  /**
   * Whether a file of the upstream is the one that was fetched from another path of it. A name that is listed and not
   * there, as a link that leads nowhere, is the same when it is not there under either path; it proves nothing.
   */
  async #isSameFile(path: string, original: string): Promise<boolean> {
    const { pool, fetcher, signal } = this.#context
    this.#count()
    if (!(await fetcher.has(original))) return !(await this.#isThere(path))
    this.#compared++
    const file = await open(fetcher.place(original), 'r')
    try {
      const compare = (upstream: Upstream) => isTailOf(file, upstream, path, signal)
      return (await pool.ask(path, compare, { isOptional: true, ...defined({ signal }) })) ?? false
    } finally {
      await file.close()
    }
  }

  async #isThere(path: string): Promise<boolean> {
    const { pool, signal } = this.#context
    const look = async (upstream: Upstream): Promise<true | undefined> => {
      const response = await upstream.get(path, { start: 0, ...defined({ signal }) })
      // Ends the transfer.
      if (response) for await (const _ of response.body) break
      return response && true
    }
    return (await pool.ask(path, look, { isOptional: true, ...defined({ signal }) })) ?? false
  }
}

/** Undefined when the upstream does not have the file. */
async function isTailOf(
  file: FileHandle,
  upstream: Upstream,
  path: string,
  signal: AbortSignal | undefined,
): Promise<boolean | undefined> {
  const { size, mtimeMs } = await file.stat()
  const start = Math.max(0, size - tailBytes)
  const response = await upstream.get(path, { start, ...defined({ signal }) })
  if (!response) return undefined
  const { modifiedMs } = response
  // Web servers tell whole seconds.
  const isSameTime = modifiedMs !== undefined && Math.abs(modifiedMs - mtimeMs) < 1000
  const isProof = response.start === 0 || isSameTime
  const isOther =
    (modifiedMs !== undefined && !isSameTime) || (response.size !== undefined && response.size !== size)
  return (await hasBytes(file, size, response, `${upstream.url}${path}`)) && isProof && !isOther
}

/** Whether the body has exactly the bytes of the file from its start on. Reads it up to the first difference. */
async function hasBytes(file: FileHandle, size: number, response: RemoteBody, url: string): Promise<boolean> {
  let position = response.start
  try {
    for await (const piece of response.body) {
      const own = Buffer.alloc(piece.length)
      const { bytesRead } = await file.read(own, 0, own.length, position)
      if (bytesRead < piece.length || !own.equals(piece)) return false
      position += piece.length
    }
  } catch (error) {
    if (error instanceof Failure) throw error
    throw new TransientFailure(`${url}: ${failureMessage(error)}`, { cause: error })
  }
  return position === size
}
