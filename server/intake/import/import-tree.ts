import { realpath, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { defined } from '../../core/defined.ts'
import { Failure, failureKind } from '../../core/failure.ts'
import { slug, suggestTreeId } from '../../core/tree/tree-id.ts'
import { isInside } from '../../host/paths.ts'
import type { Finding } from '../../verify/expected-file.ts'
import type { SignaturePolicy } from '../../verify/signatures/key-files.ts'
import type { ImageListing } from '../../verify/verify-image.ts'
import type { VersionStore } from '../../versions/version-store.ts'
import { type Candidate, findCandidates } from '../candidates.ts'
import { type BootGate, type PublishResult, publishTree } from '../publish-tree.ts'
import { detectFile, type FileKind } from './detect.ts'
import { importArchive } from './import-archive.ts'
import { importFolder, importImage } from './import-folder.ts'
import { type ImportJob, openImportJob } from './import-job.ts'
import { type OnProgress, type OnRetry, testProgress, verifyProgress } from './progress.ts'
import { TreeWriter } from './tree-writer.ts'
import { unpackImage } from './unpack-image.ts'

export interface ImportOptions {
  /** Id of the tree. Default: an id made from what the tree says it is. */
  readonly id?: string
  /** Whether a folder that the operator placed by hand may be replaced. It becomes an earlier version. */
  readonly replace?: boolean
  /** Publish in spite of faults: who wants that, and why. */
  readonly accept?: { readonly by: string; readonly why: string }
  /** See `CopyOptions`. */
  readonly hardLink?: boolean
  /** See `CopyOptions`. */
  readonly maxUnpackedBytes?: number
  /** `limits.min-free`: the space that is left free, see `spaceOf`. */
  readonly minFree?: number
  /** How the source is called in the record and in messages. Default: its path. */
  readonly shownAs?: string
  /** Unpack a disc image into a folder instead of keeping it as one file. */
  readonly unpack?: boolean
  /** Who publishes, for the record of the version. */
  readonly by?: string
  /** See `PublishRequest`. */
  readonly bootGate?: BootGate
  /** How signatures are checked. Without it they are only reported as unchecked. */
  readonly signatures?: SignaturePolicy
  /** Where the checksum lists of the image are, and its name in them. Default: beside it, its own name. */
  readonly image?: ImageListing
  readonly onProgress?: OnProgress
  /** Called before each pause of a fetch. */
  readonly onRetry?: OnRetry
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
  /** Whether this run continued an earlier one. */
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
  const found = await examineSource(source, store.trees)
  const { path, kind } = found
  if (options.id !== undefined) await store.checkIdIsFree(options.id, options.replace)
  const job = await openImportJob(store.trees, path, fingerprintOf(found, options))
  try {
    const notes = await fillJob(found, job, options)
    // The lists are beside the original; its copy in the job has another name.
    const image = kind === 'iso' ? { folder: dirname(path), name: basename(path) } : undefined
    const { shownAs = source } = options
    const trees = await publishJob({
      store,
      job,
      source: shownAs,
      options: { ...defined({ image }), ...options },
    })
    if (trees.every((each) => each.result.outcome === 'published')) await job.discard()
    return { trees, notes, resumed: job.resumed }
  } catch (error) {
    // A second run would stop at the same place, and what is there only takes space.
    if (isUnpacked(found, options) && failureKind(error) === 'too-large') await job.discard()
    throw error
  } finally {
    await job.release()
  }
}

function isUnpacked({ kind }: Source, { unpack = false }: ImportOptions): boolean {
  return kind === 'iso' ? unpack : kind !== 'folder'
}

interface Source {
  /** Real path. */
  readonly path: string
  readonly kind: FileKind | 'folder'
  readonly stats: Awaited<ReturnType<typeof stat>>
}

async function examineSource(source: string, trees: string): Promise<Source> {
  const path = await realpath(resolve(source)).catch(() => undefined)
  if (path === undefined) throw new Failure('not-found', `${source} does not exist`)
  const stats = await stat(path)
  if (!stats.isDirectory()) return { path, kind: await detectFile(path), stats }
  if (isInside(path, trees) || isInside(trees, path))
    throw new Failure('bad-request', `${source} is inside the trees folder, or the trees folder is inside it`)
  return { path, kind: 'folder', stats }
}

/**
 * Identifies the content of the source: a second run continues only if it is the same. It holds the size and
 * time of a file; the files in a folder are compared one by one. An image that is unpacked and the same image
 * kept as one file do not continue each other.
 */
function fingerprintOf({ kind, stats }: Source, { unpack }: ImportOptions): string {
  const sizeAndTime = kind === 'folder' ? '' : `${stats.size} ${stats.mtimeMs}`
  const mode = kind === 'iso' && unpack ? ' unpacked' : ''
  return `${stats.dev} ${stats.ino} ${sizeAndTime}${mode}`
}

/** Copies or unpacks the source into the folder of the job. Returns what was left out, and why. */
async function fillJob(source: Source, job: ImportJob, options: ImportOptions): Promise<readonly string[]> {
  const { path, kind } = source
  const { onProgress = () => undefined, signal, hardLink, maxUnpackedBytes, unpack, accept } = options
  const writer = new TreeWriter(job.tree, job.tempFolder, options.minFree)
  await writer.start()
  const copying = { onProgress, ...defined({ signal, hardLink, maxUnpackedBytes }) }
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
  /** The source as the operator named it, for messages and the record. */
  readonly source: string
  readonly options: ImportOptions
}

/** What a mirror says of the files that it did not fetch. */
export interface UpstreamOptions {
  /** The URL of the packages, when only the files that a boot needs were mirrored. */
  readonly upstream?: string
  /** A missing file is a warning, not an error: the upstream does not have it either. */
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
  const { replace, accept, by, bootGate, signatures, image, onProgress, signal } = options
  const verifyOptions = {
    packages: upstream === undefined,
    partial,
    ...defined({ signatures, signal }),
    ...(onProgress && { onProgress: verifyProgress(onProgress), onBootTest: testProgress(onProgress) }),
  }
  const imported: ImportedTree[] = []
  for (const { id, candidate } of withIds(candidates, options.id, source)) {
    const { kind, path } = candidate
    const request = {
      ...candidate,
      id,
      source,
      ...defined({ upstream, replace, accept, by, bootGate, image: kind === 'iso' ? image : undefined }),
    }
    const result = await publishTree(store, request, verifyOptions)
    // Faulty files are removed: the next run would take them for complete.
    if (result.outcome === 'refused' && kind === 'folder') await removeFaulty(path, result.findings)
    imported.push({ id, result })
  }
  return imported
}

async function removeFaulty(folder: string, findings: readonly Finding[]): Promise<void> {
  for (const { severity, path, with: suspect } of findings) {
    if (severity !== 'error') continue
    for (const place of [path, suspect ?? path].map((each) => join(folder, each)))
      if (place !== folder && isInside(folder, place)) await rm(place, { force: true }).catch(() => undefined)
  }
}

/**
 * Gives each tree of a source its id. When several would get the same one (the text and the graphical
 * installer of one Debian package, or all when an id is `wanted`), the names of the folders in which they
 * differ are appended.
 */
function withIds(
  candidates: readonly Candidate[],
  wanted: string | undefined,
  source: string,
): { readonly id: string; readonly candidate: Candidate }[] {
  const named = candidates.map((candidate) => {
    const name = wanted ?? suggestTreeId(candidate.description)
    if (name === undefined)
      throw new Failure('bad-request', `${source} does not say what it is; give it an id with --id`)
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
