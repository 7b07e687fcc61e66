import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { VerifyConfig } from '../../config/schema.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { baseName, type CleanPath, cleanPath, parentPath, rootPath } from '../../files/path.ts'
import type { PublishReport } from '../../files/upload-area.ts'
import { readSignaturePolicy } from '../../verify/signatures/key-files.ts'
import type { VersionStore } from '../../versions/version-store.ts'
import { type Candidate, findCandidates, findImage } from '../candidates.ts'
import { type OnProgress, testProgress, verifyProgress } from '../import/progress.ts'
import { type BootGate, errorTexts, publishTree } from '../publish-tree.ts'
import type { UploadFolder } from './upload-folder.ts'

/** What every publication of an upload needs. */
export interface UploadContext {
  readonly store: VersionStore
  readonly folder: UploadFolder
  /** How signatures are checked; without it they are only reported as unchecked. */
  readonly verify: VerifyConfig | undefined
  readonly bootGate: BootGate | undefined
}

export interface PublishOptions {
  /** Who publishes, for the record of the version. Default: `an administrator`. */
  readonly by?: string
  /** Whether a folder that the operator placed by hand may be replaced. It becomes an earlier version. */
  readonly replace?: boolean
  /** Publish in spite of faults, for this reason. */
  readonly accept?: string
  /**
   * True when nobody asked for the publication: the upload was only quiet for a while, and may be incomplete.
   */
  readonly unattended?: boolean
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

/** The report, and the ids of the trees that were published, even if others were refused. */
export interface PublishedUpload {
  readonly report: PublishReport
  readonly ids: readonly string[]
}

/** The most lines in a report: a tree with 60,000 faulty files does not need a line for each. */
const maxLines = 40

/** Verifies what is below `path`, and publishes every tree and image in it that is whole. */
export async function publishUpload(
  context: UploadContext,
  path: CleanPath,
  options: PublishOptions,
): Promise<PublishedUpload> {
  const { folder } = context
  const partial = await Promise.all(folder.partialFiles(path).map((file) => describePartial(folder, file)))
  if (partial.length > 0) return refused(partial)
  const candidates = await candidatesAt(folder, path)
  if (candidates.length === 0)
    return refused([
      `${path} does not hold an installation tree: no descriptor (.treeinfo, .disk/info, content, ...), no kernel with its initrd at a known path, and no disc image`,
    ])
  const lines: string[] = []
  const ids: string[] = []
  for (const candidate of candidates) {
    const published = await publishCandidate(context, candidate, {
      ...options,
      source: `an upload (${path})`,
    })
    ids.push(...published.ids)
    lines.push(...published.report.lines)
  }
  const outcome = ids.length === candidates.length ? 'published' : 'refused'
  return { report: { outcome, lines: lines.slice(0, maxLines) }, ids }
}

async function describePartial(folder: UploadFolder, file: CleanPath): Promise<string> {
  const size = await folder.size(file)
  const how = folder.isReceiving(file) ? 'is still being uploaded' : 'was cut off'
  return `${file.slice(1)} ${how} after ${size ?? 0} bytes: resume it, upload it again, or remove it`
}

/** Finds the trees and images at a path, which may be a folder or one image. */
async function candidatesAt(folder: UploadFolder, path: CleanPath): Promise<readonly Candidate[]> {
  const real = await realpath(folder.diskPath(path)).catch(() => undefined)
  if (real === undefined) throw new Failure('not-found', `nothing was uploaded at ${path}`)
  const isFile = (await folder.size(path)) !== undefined
  if (!isFile) return findCandidates(real)
  const above = await realpath(folder.diskPath(parentPath(path)))
  const image = await findImage(above, join(above, baseName(path)))
  return image ? [image] : []
}

async function publishCandidate(
  { store, folder, verify, bootGate }: UploadContext,
  candidate: Candidate,
  options: PublishOptions & { readonly source: string },
): Promise<PublishedUpload> {
  const area = await realpath(folder.diskPath(rootPath))
  const at = candidate.path.slice(area.length + 1)
  const id = at.replace(/\.iso$/i, '')
  if (id === '')
    throw new Failure(
      'bad-request',
      'a tree cannot lie at the top of the upload area; upload it into a folder, whose path becomes its id',
    )
  const { source, by = 'an administrator', replace = false, accept, unattended = false } = options
  const signatures = verify && (await readSignaturePolicy(verify))
  const accepted = accept === undefined ? undefined : { by, why: accept }
  const request = {
    ...candidate,
    id,
    source,
    by,
    replace,
    unattended,
    ...defined({ accept: accepted, bootGate }),
  }
  const { signal, onProgress } = options
  const result = await publishTree(store, request, {
    ...defined({ signatures, signal }),
    ...(onProgress && { onProgress: verifyProgress(onProgress), onBootTest: testProgress(onProgress) }),
  })
  if (result.outcome === 'refused')
    return refused(errorTexts(result.findings).map((text) => `${id}: ${text}`))
  await folder.removeEmptyAbove(cleanPath(`/${at}`))
  const { version, files } = result.record
  const line = `${id}: published as version ${version}, ${files} files`
  return { report: { outcome: 'published', lines: [line] }, ids: [id] }
}

function refused(lines: readonly string[]): PublishedUpload {
  return { report: { outcome: 'refused', lines: lines.slice(0, maxLines) }, ids: [] }
}
