import { lstat } from 'node:fs/promises'
import { posix } from 'node:path'
import { Failure } from '../../core/failure.ts'
import { documentLimits } from '../../core/limits/documents.ts'
import { tryReadDescriptor } from '../../core/tree/descriptors/descriptor.ts'
import { descriptorFormats } from '../../core/tree/descriptors/formats.ts'
import { type CleanPath, cleanPath, joinPath, parentPath, pathInside, rootPath } from '../../files/path.ts'
import { type ListedDigest, parseChecksumList } from '../../verify/documents/checksum-list.ts'
import { isReadAsChecksumList } from '../../verify/find-documents.ts'
import type { Crawl } from './crawl.ts'
import type { RemoteFile } from './fetch-file.ts'
import { type Fetcher, isDamage } from './fetcher.ts'

/**
 * What index pages leave out: nginx (ngx_http_autoindex_module) every name that begins with a dot; Apache's sample
 * `httpd-autoindex.conf` also `README*` and `HEADER*`.
 */
const hiddenPart = /(?:^|\/)(?:\.|README|HEADER)/

export interface HiddenContext {
  readonly crawl: Crawl
  /** It has fetched all files of the crawl. */
  readonly fetcher: Fetcher
  /** Fetches into a folder of its own what may turn out to be something else. */
  readonly trial: Fetcher
}

/**
 * Fetches what the index pages of an upstream hide, as `.disk/info`, without which a Debian tree has no version. The
 * names are asked for when no folder lists one with a dot in front: those of the descriptors, and those that the lists
 * of checksums name. What is not there is no fault here: verification tells what a list names and the tree lacks.
 */
export async function fetchHidden(context: HiddenContext): Promise<void> {
  const { crawl, fetcher } = context
  if (crawl.hasDotNames) return
  const names = new Set(crawl.files)
  const lists = crawl.files.filter((path) => isList(path, names)).map(cleanPath)
  const folders = new Set([rootPath, ...lists.map(parentPath)])
  for (const folder of folders)
    for (const path of await hiddenDescriptors(folder, context))
      await fetcher.fetch({ path, isOptional: true })
  for (const list of lists) for (const file of await hiddenOfList(list, context)) await isGiven(fetcher, file)
}

function isList(path: string, names: ReadonlySet<string>): boolean {
  const name = posix.basename(path)
  const beside = path.replace(/\.asc$/, '')
  return isReadAsChecksumList(name, new Set(names.has(beside) ? [posix.basename(beside)] : []))
}

async function hiddenDescriptors(
  folder: CleanPath,
  { crawl, trial }: HiddenContext,
): Promise<readonly string[]> {
  const found: string[] = []
  for (const format of descriptorFormats)
    for (const name of format.paths.filter((each) => hiddenPart.test(each))) {
      const path = joinPath(folder, name).slice(1)
      if (crawl.made.includes(path)) continue
      const file = { path, atMostBytes: format.maxBytes, isOptional: true }
      // Some servers answer every name with a page of their own.
      if ((await isGiven(trial, file)) && tryReadDescriptor(path, await trial.read(path), [format]))
        found.push(path)
    }
  return found
}

/** The hidden files that a list names in folders that were walked through. */
async function hiddenOfList(
  list: CleanPath,
  { crawl, fetcher }: HiddenContext,
): Promise<readonly RemoteFile[]> {
  const by = list.slice(1)
  const place = fetcher.place(by)
  const stats = await lstat(place).catch(() => undefined)
  if (!stats?.isFile() || stats.size > documentLimits.checksumList.bytes) return []
  const files: RemoteFile[] = []
  for (const { path: name, digest } of entriesOf(await fetcher.read(by))) {
    const path = pathOf(parentPath(list), name)
    const at = path?.search(hiddenPart) ?? -1
    if (path === undefined || at < 0 || !crawl.hasWalked(path.slice(1, at + 1))) continue
    crawl.count(1)
    files.push({ path: path.slice(1), digest, by, isOptional: true })
  }
  return files
}

/** None of a list that verification cannot read either, and tells of. */
function entriesOf(bytes: Buffer): readonly ListedDigest[] {
  try {
    return parseChecksumList(bytes.toString('utf8')).entries
  } catch (error) {
    if (error instanceof Failure) return []
    throw error
  }
}

/** Undefined for what no file of the tree can be called. */
function pathOf(folder: CleanPath, name: string): CleanPath | undefined {
  try {
    return pathInside(folder, name.replace(/^\/+/, ''))
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

/** Fetches a file. False when the upstream does not have it, or gives something else for it. */
async function isGiven(fetcher: Fetcher, file: RemoteFile): Promise<boolean> {
  try {
    return await fetcher.fetch(file)
  } catch (error) {
    if (isDamage(error)) return false
    throw error
  }
}
