import { rm } from 'node:fs/promises'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import type { Description } from '../../core/tree/tree.ts'
import { levelsAbove, suggestTreeId } from '../../core/tree/tree-id.ts'
import { folderOfVersion } from '../../versions/layout.ts'
import type { VersionStore } from '../../versions/version-store.ts'
import { openImportJob } from '../import/import-job.ts'
import { importLocal, publishJob } from '../import/import-tree.ts'
import { mirrorByFiles } from './mirror-files.ts'
import { mirrorByRsync } from './mirror-rsync.ts'
import type {
  FetchedFile,
  FetchedTree,
  MirrorContext,
  MirrorOptions,
  MirrorResult,
  TreeDestination,
} from './options.ts'

/**
 * Fetches a tree from one or several mirrors of it, verifies and publishes it. An interruption at any moment
 * leaves nothing visible, and a second call continues where the first stopped. When the URL is that of an
 * ISO, a tar archive or a Debian package, the tree in that file is imported instead.
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
  if (options.id !== undefined) await store.checkIdIsFree(options.id, options.replace)
  // A boot-only mirror and a whole one of the same URL do not share a job.
  const jobName = `mirror ${first}${options.bootOnly ? ' boot-only' : ''}`
  // The same for all mirrors: each kept file is compared with the upstream's, so no job starts over.
  const fingerprint = 'a mirror'
  const job = await openImportJob(store.trees, jobName, fingerprint)
  try {
    return await fetchAndPublish({ store, job, urls, options })
  } finally {
    await job.release()
  }
}

async function fetchAndPublish(context: MirrorContext): Promise<MirrorResult> {
  const isRsync = /^rsync:/i.test(context.urls[0] ?? '')
  const method = isRsync ? mirrorByRsync(context) : mirrorByFiles(context)
  try {
    const probe = await method.probe()
    if (probe.kind === 'file') return await importFetched(context, await method.fetchFile())
    const destination = await destinationOf(context, probe.description)
    return await publishFetched(context, await method.fetchTree(destination))
  } finally {
    await method.close()
  }
}

async function destinationOf(
  { store, urls, options }: MirrorContext,
  description: Description | undefined,
): Promise<TreeDestination> {
  const id = options.id ?? (description && suggestTreeId(description))
  const repositories = description && !options.bootOnly ? description.repositories : []
  return {
    prefix: lastFolders(urls[0] ?? '', levelsAbove(repositories)),
    current: id === undefined ? undefined : await currentFolder(store, id),
  }
}

/** The last `count` folders of a URL: 3 of `https://host/9/BaseOS/x86_64/os/` are `BaseOS/x86_64/os`. */
function lastFolders(url: string, count: number): string {
  if (count === 0) return ''
  const parts = decodeURIComponent(new URL(url).pathname).split('/').filter(Boolean)
  if (parts.length < count)
    throw new Failure(
      'invalid-data',
      `${url} refers to repositories ${count} folders above itself, and its path has only ${parts.length}`,
    )
  return parts.slice(-count).join('/')
}

async function currentFolder(store: VersionStore, id: string): Promise<TreeDestination['current']> {
  const current = (await store.versions(id)).find((version) => version.current && version.kind === 'folder')
  return current && { folder: folderOfVersion(store.trees, id, current.version), files: current.files }
}

async function importFetched(
  { store, job, options }: MirrorContext,
  { file, listing }: FetchedFile,
): Promise<MirrorResult> {
  const result = await importLocal(store, file, {
    ...options,
    // Nobody else uses the download, so it need not be copied.
    hardLink: true,
    ...defined({ image: listing }),
  })
  if (result.trees.every((tree) => tree.result.outcome === 'published')) await job.discard()
  return { ...result, unchanged: false }
}

async function publishFetched(
  { store, job, urls, options }: MirrorContext,
  { unchanged, notes, damaged, suspects }: FetchedTree,
): Promise<MirrorResult> {
  const { resumed } = job
  if (unchanged) {
    await job.discard()
    return { trees: [], notes, resumed, unchanged }
  }
  if (damaged.length > 0 && !options.accept) {
    // The next run fetches these documents anew: it would keep what it has, and find the same damage for ever.
    for (const document of suspects) await rm(document, { force: true })
    throw new Failure('invalid-data', describeDamage(damaged))
  }
  const preferredUrl = urls[0] ?? ''
  const trees = await publishJob(
    { store, job, source: preferredUrl, options },
    {
      // Without damage, what is missing here is missing at the upstream, too. With damage, missing files are
      // faults, and are recorded with who accepted them.
      partial: damaged.length === 0,
      // Guests install from the tree itself when its packages are in it, else from the upstream.
      ...(options.bootOnly && { upstream: preferredUrl }),
    },
  )
  if (trees.every(({ result }) => result.outcome === 'published')) await job.discard()
  return { trees, notes: [...notes, ...damaged], resumed, unchanged }
}

/** The most damaged files that the message names. */
const maxLines = 40

function describeDamage(lines: readonly string[]): string {
  const more = lines.length > maxLines ? `\n  and ${lines.length - maxLines} more` : ''
  const files = `${lines.length} ${lines.length === 1 ? 'file' : 'files'}`
  return `the upstream has ${files} whose bytes differ from its own checksums; --accept publishes the tree without them:\n${lines
    .slice(0, maxLines)
    .map((line) => `  ${line}`)
    .join('\n')}${more}`
}
