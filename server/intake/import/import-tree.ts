import { realpath, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { slug, suggestTreeId } from '../../core/tree/tree-id.ts'
import { isInside } from '../../host/paths.ts'
import type { Finding } from '../../verify/expected-file.ts'
import type { SignaturePolicy } from '../../verify/signatures/key-files.ts'
import type { ImageListing } from '../../verify/verify-image.ts'
import type { VersionStore } from '../../versions/version-store.ts'
import { type Candidate, findCandidates } from '../candidates.ts'
import { type PublishResult, publishTree } from '../publish-tree.ts'
import { detectFile, type FileKind } from './detect.ts'
import { importArchive } from './import-archive.ts'
import { importFolder, importImage } from './import-folder.ts'
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
  /** Make a folder of what is in a disc image, instead of keeping the image. */
  readonly unpack?: boolean
  readonly by?: string
  /** How signatures are judged; without it they are only noted. */
  readonly signatures?: SignaturePolicy
  /** Where checksum lists name the image, when not beside it and by its own name. */
  readonly image?: ImageListing
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** One tree of a source, published or refused; an archive may hold several. */
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
 * Imports a folder or file of this machine into `trees/`: copies or unpacks it in a private folder, verifies
 * it, and publishes it with one switch. An interruption at any moment leaves nothing visible, and a second
 * call continues where the first stopped.
 *
 * @throws Failure when the source is not a folder, image, archive or package, or does not hold a tree.
 */
export async function importLocal(
  store: VersionStore,
  source: string,
  options: ImportOptions = {},
): Promise<ImportResult> {
  const found = await examine(source, store.trees)
  const { path, kind } = found
  if (options.id !== undefined) await store.checkIdIsFree(options.id, options.replace)
  const job = await openImportJob(store.trees, path, fingerprintOf(found, options))
  try {
    const notes = await fillJob(found, job, options)
    const image = kind === 'iso' ? { folder: dirname(path), name: basename(path) } : undefined
    const trees = await publishJob({ store, job, source, options: { ...defined({ image }), ...options } })
    if (trees.every((each) => each.result.outcome === 'published')) await job.discard()
    return { trees, notes, resumed: job.resumed }
  } finally {
    await job.release()
  }
}

interface Source {
  /** Real path. */
  readonly path: string
  readonly kind: FileKind | 'folder'
  readonly stats: Awaited<ReturnType<typeof stat>>
}

async function examine(source: string, trees: string): Promise<Source> {
  const path = await realpath(resolve(source)).catch(() => undefined)
  if (path === undefined) throw new Failure('not-found', `there is no ${source}`)
  const stats = await stat(path)
  if (!stats.isDirectory()) return { path, kind: await detectFile(path), stats }
  if (isInside(path, trees) || isInside(trees, path))
    throw new Failure('bad-request', `${source} lies in the trees folder already, or holds it`)
  return { path, kind: 'folder', stats }
}

/** A file that changed is another source; in a folder each file is compared by itself. */
function fingerprintOf({ kind, stats }: Source, { unpack }: ImportOptions): string {
  const version = kind === 'folder' ? '' : `${stats.size} ${stats.mtimeMs}`
  const way = kind === 'iso' && unpack ? ' unpacked' : ''
  return `${stats.dev} ${stats.ino} ${version}${way}`
}

/** Copies or unpacks the source into the folder of the job. Returns what was left out, and why. */
async function fillJob(source: Source, job: ImportJob, options: ImportOptions): Promise<readonly string[]> {
  const { path, kind } = source
  const { onProgress = () => undefined, signal, hardLink, unpack, accept } = options
  const writer = new TreeWriter(job.tree, job.tempFolder)
  await writer.start()
  const copying = { onProgress, ...defined({ signal, hardLink }) }
  if (kind === 'folder') await importFolder(path, writer, copying)
  else if (kind !== 'iso') await importArchive(path, kind, writer, copying)
  else if (unpack) await unpackImage(path, writer, { ...copying, evenIfCut: accept !== undefined })
  else await importImage(path, writer, copying)
  await writer.finish()
  return writer.notes
}

/** The files of a job, and how they are to be published. */
export interface PublishJob {
  readonly store: VersionStore
  readonly job: ImportJob
  /** What the operator named, for messages and the record. */
  readonly source: string
  readonly options: ImportOptions
}

export interface UpstreamOptions {
  /** The URL at which the packages stay. */
  readonly upstream?: string
  /** Files that the upstream lacks are not a fault of the copy. */
  readonly partial?: boolean
}

/** Verifies and publishes every tree in the folder of a job. */
export async function publishJob(
  { store, job, source, options }: PublishJob,
  { upstream, partial = false }: UpstreamOptions = {},
): Promise<readonly ImportedTree[]> {
  const candidates = await findCandidates(job.tree)
  if (candidates.length === 0)
    throw new Failure(
      'invalid-data',
      `${source} does not hold an installation tree: no descriptor (.treeinfo, .disk/info, content, ...), no kernel with its initrd at a known path, and no disc image`,
    )
  const { replace, accept, by, signatures, image, onProgress, signal } = options
  const verifyOptions = {
    packages: upstream === undefined,
    partial,
    ...defined({ signatures, signal, onProgress: onProgress && verifyProgress(onProgress) }),
  }
  const imported: ImportedTree[] = []
  for (const { id, candidate } of withIds(candidates, options.id, source)) {
    const { kind, path, trees, evidence } = candidate
    const request = {
      id,
      kind,
      path,
      trees,
      evidence,
      source,
      ...defined({ upstream, replace, accept, by, image: kind === 'iso' ? image : undefined }),
    }
    const result = await publishTree(store, request, verifyOptions)
    // Wrong files are removed, since the next run would keep them.
    if (result.outcome === 'refused' && kind === 'folder') await removeFaulty(path, result.findings)
    imported.push({ id, result })
  }
  return imported
}

function verifyProgress(onProgress: OnProgress): (doneBytes: number, totalBytes: number) => void {
  return (doneBytes, totalBytes) => onProgress({ stage: 'verifying', doneBytes, totalBytes })
}

async function removeFaulty(folder: string, findings: readonly Finding[]): Promise<void> {
  for (const { severity, path, with: other } of findings) {
    if (severity !== 'error') continue
    for (const place of [path, other ?? path].map((each) => join(folder, each)))
      if (place !== folder && isInside(folder, place)) await rm(place, { force: true }).catch(() => undefined)
  }
}

/**
 * The ids of the trees of one source. Trees with the same description (the text and the graphical installer
 * of one Debian package) are told apart by the folders in which they differ.
 */
function withIds(
  candidates: readonly Candidate[],
  wanted: string | undefined,
  source: string,
): { readonly id: string; readonly candidate: Candidate }[] {
  const named = candidates.map((candidate) => {
    const name = wanted ?? suggestTreeId(candidate.description)
    if (name === undefined)
      throw new Failure('bad-request', `${source} does not say what it is; name it with --id`)
    return { name, candidate }
  })
  return named.map(({ name, candidate }) => {
    const rivals = named.filter((other) => other.name === name).map((other) => other.candidate)
    if (rivals.length === 1) return { id: name, candidate }
    const differing = candidate.place
      .split('/')
      .filter((part, depth) => rivals.some((each) => each.place.split('/')[depth] !== part))
    return { id: [name, ...differing.map(slug)].filter(Boolean).join('-'), candidate }
  })
}
