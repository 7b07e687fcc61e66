import { lstat, readdir, readlink, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Failure } from '../../core/failure.ts'
import { readDescriptor } from '../../core/tree/descriptors/descriptor.ts'
import type { Description } from '../../core/tree/tree.ts'
import { levelsAbove, suggestTreeId } from '../../core/tree/tree-id.ts'
import { diskSource } from '../../files/disk.ts'
import { cleanPath } from '../../files/path.ts'
import { readWhole } from '../../files/read-whole.ts'
import { self } from '../../verify/walk.ts'
import type { VersionStore } from '../../versions/version-store.ts'
import type { ImportJob } from '../import/import-job.ts'
import { earlierOf, lastFolders } from './mirror-place.ts'
import type { MirrorOptions } from './mirror-tree.ts'
import { type RsyncRun, rsyncFrom } from './rsync.ts'

export interface Brought {
  /** `file`: one that a tree comes in, at `file`. */
  readonly kind: 'tree' | 'unchanged' | 'file'
  readonly file: string
  readonly notes: readonly string[]
}

const descriptors = ['.treeinfo', 'treeinfo'] as const

/**
 * Fills a job by rsync: everything below the URL, and the repositories beside it that its `.treeinfo` names. What the
 * version of now has with the same size and time is shared with it by hard links.
 *
 * @throws Failure `bad-request` for `bootOnly`: no installer fetches its packages by rsync.
 */
export async function mirrorByRsync(
  store: VersionStore,
  job: ImportJob,
  urls: readonly string[],
  options: MirrorOptions,
): Promise<Brought> {
  const [first = ''] = urls
  if (options.bootOnly)
    throw new Failure(
      'bad-request',
      `${first}: boot-only leaves the packages with the upstream, and no installer fetches them by rsync; name it by http, https or ftp`,
    )
  const { onProgress, signal, fetching } = options
  const run: Omit<RsyncRun, 'folder'> = {
    parts: join(job.folder, 'part'),
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
    ...(fetching && { fetching }),
  }
  const probed = join(job.folder, 'probe')
  await rm(probed, { recursive: true, force: true })
  const outcome = await rsyncFrom(urls, { ...run, folder: probed, only: descriptors })
  if (outcome === 'absent') throw new Failure('not-found', `there is no ${first}`)
  if (outcome === 'no-folder') {
    const folder = join(job.folder, 'download')
    await rsyncFrom(urls, { ...run, folder, isFile: true })
    return { kind: 'file', file: join(folder, basename(first)), notes: [] }
  }
  const description = await descriptionIn(probed)
  const beside = (description?.repositories ?? [])
    .map(({ path }) => path)
    .filter((path) => path.startsWith('../'))
  const prefix = lastFolders(first, levelsAbove(description?.repositories ?? []))
  const id = options.id ?? (description && suggestTreeId(description))
  const earlier = id === undefined ? undefined : await earlierOf(store, id)
  const notes: string[] = []
  for (const path of ['', ...beside]) {
    const place = cleanPath(`/${prefix}/${path}`)
    const from = urls.map((url) => new URL(path === '' ? '.' : `${path}/`, url.replace(/\/*$/, '/')).href)
    const came = await rsyncFrom(from, {
      ...run,
      folder: join(job.tree, place),
      ...(earlier && { earlier: join(earlier.folder, place) }),
    })
    if (came !== 'done') notes.push(`${path} is named, and the upstream does not have it`)
  }
  const unchanged = earlier !== undefined && (await isSame(job.tree, earlier.folder))
  return { kind: unchanged ? 'unchanged' : 'tree', file: '', notes }
}

async function descriptionIn(folder: string): Promise<Description | undefined> {
  const source = diskSource(folder)
  for (const name of descriptors) {
    const entry = await source.stat(cleanPath(name), self)
    if (entry?.kind === 'file') return readDescriptor(name, await readWhole(entry))
  }
  return undefined
}

/** Whether both hold the very same files, shared by hard links, and the same symlinks. */
async function isSame(folder: string, other: string): Promise<boolean> {
  const [items, others] = await Promise.all(
    [folder, other].map((each) => readdir(each).catch(() => undefined)),
  )
  if (!items || items.length !== others?.length) return false
  for (const name of items) {
    const [at, otherAt] = [join(folder, name), join(other, name)]
    const [a, b] = await Promise.all([lstat(at), lstat(otherAt).catch(() => undefined)])
    if (!b) return false
    if (a.isDirectory()) {
      if (!b.isDirectory() || !(await isSame(at, otherAt))) return false
    } else if (a.isSymbolicLink()) {
      if (!b.isSymbolicLink() || (await readlink(at)) !== (await readlink(otherAt))) return false
    } else if (a.ino !== b.ino) return false
  }
  return true
}
