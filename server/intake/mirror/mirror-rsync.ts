import { lstat, readdir, readlink, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { internalRequester } from '../../core/net/requester.ts'
import { readDescriptor } from '../../core/tree/descriptors/descriptor.ts'
import type { Description } from '../../core/tree/tree.ts'
import { diskSource } from '../../files/disk.ts'
import { cleanPath } from '../../files/path.ts'
import { readWhole } from '../../files/read-whole.ts'
import { removeLinksOut } from '../../host/links.ts'
import { treeinfoNames } from './follow-treeinfo.ts'
import type {
  FetchedFile,
  FetchedTree,
  MirrorContext,
  MirrorMethod,
  Probe,
  TreeDestination,
} from './options.ts'
import { type RsyncRun, rsyncFrom } from './rsync.ts'

/**
 * Mirrors by the program rsync: everything below the URL, and the repositories beside it that its `.treeinfo`
 * names. Files with the same size and time as in the current version become hard links to those files.
 *
 * @throws Failure `bad-request` for `bootOnly`: no installer fetches its packages by rsync.
 */
export function mirrorByRsync(context: MirrorContext): MirrorMethod {
  if (context.options.bootOnly)
    throw new Failure(
      'bad-request',
      `${context.urls[0]}: boot-only leaves the packages at the upstream, and no installer fetches them by rsync; give its URL with http, https or ftp`,
    )
  return new RsyncMirror(context)
}

class RsyncMirror implements MirrorMethod {
  readonly #context: MirrorContext
  readonly #run: Omit<RsyncRun, 'folder'>
  #description: Description | undefined

  constructor(context: MirrorContext) {
    this.#context = context
    const { onProgress, onRetry, signal, fetching, minFree, guard } = context.options
    this.#run = {
      parts: join(context.job.folder, 'part'),
      ...defined({ onProgress, onRetry, signal, fetching, minFree, guard }),
    }
  }

  async probe(): Promise<Probe> {
    const { job, urls } = this.#context
    const folder = join(job.folder, 'probe')
    await rm(folder, { recursive: true, force: true })
    const outcome = await rsyncFrom(urls, { ...this.#run, folder, only: treeinfoNames })
    if (outcome === 'absent') throw new Failure('not-found', `there is no ${urls[0]}`)
    if (outcome === 'no-folder') return { kind: 'file' }
    this.#description = await descriptionIn(folder)
    return { kind: 'tree', description: this.#description }
  }

  async fetchFile(): Promise<FetchedFile> {
    const { job, urls } = this.#context
    const folder = join(job.folder, 'download')
    // It is there: the probe found that the URL names a file.
    await rsyncFrom(urls, { ...this.#run, folder, isFile: true })
    return { file: join(folder, basename(urls[0] ?? '')) }
  }

  async fetchTree({ prefix, current }: TreeDestination): Promise<FetchedTree> {
    const { job, urls } = this.#context
    const notes: string[] = []
    // A second run of rsync may write to a folder below the first: through no link that leads out.
    await removeLinksOut(job.tree)
    for (const path of ['', ...foldersBeside(this.#description)]) {
      const inTree = cleanPath(`/${prefix}/${path}`)
      const from = urls.map((url) => folderUrl(url, path))
      const outcome = await rsyncFrom(from, {
        ...this.#run,
        folder: join(job.tree, inTree),
        ...defined({ linkFrom: current && join(current.folder, inTree) }),
      })
      for (const link of await removeLinksOut(job.tree))
        notes.push(`${link.path} is left out: its link to ${link.target} leads out of the tree`)
      if (outcome !== 'done')
        notes.push(`${path} is left out: the tree names it, and the upstream does not have it`)
    }
    const unchanged = current !== undefined && (await isSameFolder(job.tree, current.folder))
    return { unchanged, notes, damaged: [], suspects: [] }
  }

  /** rsync keeps no connection between its runs. */
  async close(): Promise<void> {}
}

function foldersBeside(description: Description | undefined): string[] {
  const paths = (description?.repositories ?? []).map(({ path }) => path)
  return paths.filter((path) => path.startsWith('../'))
}

function folderUrl(url: string, path: string): string {
  return new URL(path === '' ? '.' : `${path}/`, url.replace(/\/*$/, '/')).href
}

async function descriptionIn(folder: string): Promise<Description | undefined> {
  const source = diskSource(folder)
  for (const name of treeinfoNames) {
    const entry = await source.stat(cleanPath(name), internalRequester)
    if (entry?.kind === 'file') return readDescriptor(name, await readWhole(entry))
  }
  return undefined
}

/** Whether two folders hold the same files, shared by hard links, and the same symlinks. */
async function isSameFolder(first: string, second: string): Promise<boolean> {
  const [firstNames, secondNames] = await Promise.all(
    [first, second].map((each) => readdir(each).catch(() => undefined)),
  )
  if (!firstNames || firstNames.length !== secondNames?.length) return false
  for (const name of firstNames) if (!(await isSameItem(join(first, name), join(second, name)))) return false
  return true
}

async function isSameItem(first: string, second: string): Promise<boolean> {
  const [a, b] = await Promise.all([lstat(first), lstat(second).catch(() => undefined)])
  if (!b) return false
  if (a.isDirectory()) return b.isDirectory() && isSameFolder(first, second)
  if (a.isSymbolicLink()) return b.isSymbolicLink() && (await readlink(first)) === (await readlink(second))
  return a.ino === b.ino
}
