import { realpath, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Failure } from '../../core/failure.ts'
import { slug, suggestTreeId } from '../../core/tree/tree-id.ts'
import { isInside } from '../../host/paths.ts'
import type { ImagePlace } from '../../verify/documents/image-lists.ts'
import type { Finding } from '../../verify/expected-file.ts'
import type { SignaturePolicy } from '../../verify/signatures/key-files.ts'
import type { VersionStore } from '../../versions/version-store.ts'
import { type Candidate, findCandidates } from '../candidates.ts'
import { type PublishResult, publishTree } from '../publish-tree.ts'
import { bringInArchive, bringInFolder, bringInImage } from './bring-in.ts'
import { detectFile, type FileKind } from './detect.ts'
import { type ImportJob, openImportJob } from './import-job.ts'
import type { OnProgress } from './progress.ts'
import { TreeWriter } from './tree-writer.ts'
import { unpackImage } from './unpack-image.ts'

export interface ImportOptions {
  /** Default: what the tree says it is. */
  readonly id?: string
  readonly replace?: boolean
  readonly accept?: { readonly by: string; readonly why: string }
  readonly hardLink?: boolean
  /** Make a folder of what is in a disc image, instead of keeping it as the image that it is. */
  readonly unpack?: boolean
  readonly by?: string
  /** How signatures are judged; without it they are only noted. */
  readonly signatures?: SignaturePolicy
  /** Of an image that is called otherwise where lists of checksums name it. */
  readonly image?: ImagePlace
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** What became of one tree of a source; an archive may hold several. */
export interface ImportedTree {
  readonly id: string
  readonly result: PublishResult
}

export interface ImportResult {
  readonly trees: readonly ImportedTree[]
  /** What was left out, and why. */
  readonly notes: readonly string[]
  /** Whether an earlier run had begun this. */
  readonly resumed: boolean
}

/**
 * Brings a folder or file of this machine into `trees/`: copied or unpacked aside, verified, published with one
 * switch. Stopped at any instant it leaves nothing that anyone sees, and a second call goes on where it stopped.
 *
 * @throws Failure when the source is nothing that a tree can come in, or holds none.
 */
export async function importLocal(
  store: VersionStore,
  source: string,
  options: ImportOptions = {},
): Promise<ImportResult> {
  const path = await realpath(resolve(source)).catch(() => undefined)
  const stats = path === undefined ? undefined : await stat(path)
  if (path === undefined || !stats) throw new Failure('not-found', `there is no ${source}`)
  if (stats.isDirectory() && (isInside(path, store.trees) || isInside(store.trees, path)))
    throw new Failure('bad-request', `${source} lies in the trees folder already, or holds it`)
  const kind = stats.isDirectory() ? 'folder' : await detectFile(path)
  if (options.id !== undefined) await store.checkPlace(options.id, options.replace)
  const unpacks = kind === 'iso' && options.unpack === true
  const version = kind === 'folder' ? '' : `${stats.size} ${stats.mtimeMs}`
  const fingerprint = `${stats.dev} ${stats.ino} ${version}${unpacks ? ' unpacked' : ''}`
  const job = await openImportJob(store.trees, path, fingerprint)
  try {
    const notes = await bringIn(path, kind, job, options)
    const image = kind === 'iso' && { image: { folder: dirname(path), name: basename(path) } }
    const trees = await publishJob(store, job, source, { ...image, ...options })
    if (trees.every((each) => each.result.outcome === 'published')) await job.discard()
    return { trees, notes, resumed: job.resumed }
  } finally {
    await job.release()
  }
}

async function bringIn(
  path: string,
  kind: FileKind | 'folder',
  job: ImportJob,
  { onProgress = () => undefined, signal, hardLink, unpack, accept }: ImportOptions,
): Promise<readonly string[]> {
  const writer = new TreeWriter(job.tree, job.tempFolder)
  await writer.start()
  const options = { onProgress, ...(signal && { signal }), ...(hardLink !== undefined && { hardLink }) }
  if (kind === 'folder') await bringInFolder(path, writer, options)
  else if (kind !== 'iso') await bringInArchive(path, kind, writer, options)
  else if (unpack) await unpackImage(path, writer, { ...options, evenIfCut: accept !== undefined })
  else await bringInImage(path, writer, options)
  await writer.finish()
  return writer.notes
}

/** Verifies and publishes everything that a job brought in. */
export async function publishJob(
  store: VersionStore,
  job: ImportJob,
  source: string,
  options: ImportOptions,
  /** `partial`: what the upstream lacks is no fault of the copy. */
  extra: { readonly upstream?: string; readonly partial?: boolean } = {},
): Promise<readonly ImportedTree[]> {
  const found = await findCandidates(job.tree)
  if (found.length === 0)
    throw new Failure(
      'invalid-data',
      `${source} holds no installation tree: no descriptor (.treeinfo, .disk/info, content, ...), no kernel with its initrd in a place that we know, and no disc image`,
    )
  const ids = chooseIds(found, options.id, source)
  const { replace, accept, by, signatures, image, onProgress, signal } = options
  const imported: ImportedTree[] = []
  for (const [at, each] of found.entries()) {
    const id = ids[at] ?? ''
    const result = await publishTree(
      store,
      {
        id,
        kind: each.kind,
        path: each.path,
        trees: each.trees,
        source,
        ...(extra.upstream !== undefined && { upstream: extra.upstream }),
        ...(replace !== undefined && { replace }),
        ...(accept && { accept }),
        ...(by !== undefined && { by }),
        ...(image && each.kind === 'iso' && { image }),
      },
      {
        packages: extra.upstream === undefined,
        partial: extra.partial ?? false,
        ...(signatures && { signatures }),
        ...(onProgress && {
          onProgress: (doneBytes, totalBytes) => onProgress({ stage: 'verifying', doneBytes, totalBytes }),
        }),
        ...(signal && { signal }),
      },
    )
    // What is wrong is not kept for the next run, which would pass over it.
    if (result.outcome === 'refused' && each.kind === 'folder') await dropFaulty(each.path, result.findings)
    imported.push({ id, result })
  }
  return imported
}

async function dropFaulty(folder: string, findings: readonly Finding[]): Promise<void> {
  for (const { severity, path, with: other } of findings) {
    if (severity !== 'error') continue
    for (const place of [path, other ?? path].map((each) => join(folder, each)))
      if (place !== folder && isInside(folder, place)) await rm(place, { force: true }).catch(() => undefined)
  }
}

/**
 * What the trees of one source are called. Several that say the same of themselves (the text and the graphical
 * installer of one Debian package) are told apart by the folder that they lie in.
 */
export function chooseIds(found: readonly Candidate[], wanted: string | undefined, source: string): string[] {
  const bases = found.map(({ description }) => wanted ?? suggestTreeId(description))
  return found.map(({ place }, at) => {
    const base = bases[at]
    if (base === undefined)
      throw new Failure('bad-request', `${source} does not say what it is; name it with --id`)
    const same = found.filter((_, other) => bases[other] === base)
    if (same.length === 1) return base
    const telling = place
      .split('/')
      .filter((part, depth) => same.some((each) => each.place.split('/')[depth] !== part))
    return [base, ...telling.map(slug)].filter(Boolean).join('-')
  })
}
