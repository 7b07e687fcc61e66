import { stat } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import type { JobBody } from '../../api/types.ts'
import { defined } from '../../core/defined.ts'
import { Failure } from '../../core/failure.ts'
import { detectFile } from '../../intake/import/detect.ts'
import { unchangedText } from '../../intake/tree-report.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { terminalOrNone } from '../output/progress.ts'
import { importEvent, importText } from '../output/tree-report.ts'
import { type ImportCommandOptions, printNotes } from '../run-import.ts'
import type { ApiClient } from './client.ts'
import { failureOfJob, type NewJob, refuseKeys, runJob } from './run-job.ts'
import { uploadFile } from './upload.ts'

/** `treeboot trees import` and `trees mirror` against a server. */

export interface ImportFlags extends ImportCommandOptions {
  readonly hardLink?: boolean
  readonly unpack?: boolean
  readonly withNetboot?: boolean
  readonly detach?: boolean
}

export interface MirrorFlags extends ImportCommandOptions {
  readonly bootOnly?: boolean
  readonly detach?: boolean
}

interface Asked<Options> {
  readonly options: Options
  readonly io: CliIo
}

export async function importThere(
  source: string,
  server: ApiClient,
  { options, io }: Asked<ImportFlags>,
): Promise<void> {
  refuseKeys(options)
  if (options.hardLink)
    throw new Failure('unsupported', '--hard-link is for files beside the server: run it there')
  if (options.withNetboot)
    throw new Failure(
      'unsupported',
      '--with-netboot is for the machine of the server; treeboot trees show names the images to import',
    )
  const place = await placeOf(source, server, { options, io })
  if (!place) return
  const { unpack } = options
  const request = { kind: 'import', ...place, ...publishing(options), ...defined({ unpack }) } as const
  try {
    await brought(server, request, { options, io })
  } catch (error) {
    if (!('upload' in place) || !(error instanceof Failure)) throw error
    const { upload } = place
    // The same file would not do better, and only take space.
    if (error.kind === 'invalid-data') await removeUpload(upload, server)
    const path = resolve(io.cwd, source)
    const message = error.message.replaceAll(`an upload (/${upload})`, path).replaceAll(upload, path)
    throw new Failure(error.kind, message, { details: error.details })
  }
}

async function removeUpload(upload: string, server: ApiClient): Promise<void> {
  const [folder = ''] = upload.split('/')
  await server.call('deleteUpload', { params: { path: folder } }).catch(() => undefined)
}

/** Where the server finds the source. Undefined after Ctrl-C. */
async function placeOf(
  source: string,
  server: ApiClient,
  { options, io }: Asked<ImportFlags>,
): Promise<{ readonly source: string } | { readonly upload: string } | undefined> {
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(source)) return { source }
  const path = resolve(io.cwd, source)
  const stats = await stat(path).catch(() => undefined)
  if (!stats) {
    if (!isAbsolute(source)) throw new Failure('not-found', `${path} does not exist`)
    io.err(`note: ${source} is not on this machine; the server looks for it on its own\n`)
    return { source }
  }
  if (stats.isDirectory())
    throw new Failure(
      'unsupported',
      `${source} is a folder, which is not uploaded as one: make an archive of it (tar -C ${source} -cf tree.tar .) and import that`,
    )
  // What cannot be a tree is refused before it is uploaded.
  await detectFile(path)
  const upload = await uploadFile(path, server, { io, mode: options.json ? 'json' : terminalOrNone() })
  return upload === undefined ? undefined : { upload }
}

export async function mirrorThere(
  urls: readonly string[],
  server: ApiClient,
  { options, io }: Asked<MirrorFlags>,
): Promise<void> {
  refuseKeys(options)
  const [first = ''] = urls
  const isDefined = urls.length === 1 && !/^[a-z][a-z\d+.-]*:\/\//i.test(first)
  const { bootOnly } = options
  if (isDefined && (bootOnly !== undefined || options.id !== undefined))
    throw new Failure('bad-request', `the definition of the mirror ${first} says its id and what is fetched`)
  const from = isDefined ? { mirror: first } : { urls: [...urls], ...defined({ bootOnly }) }
  await brought(server, { kind: 'mirror', ...from, ...publishing(options) }, { options, io })
}

function publishing({ id, replace, accept }: ImportCommandOptions) {
  return defined({ id, replace, accept })
}

/** Lets a job bring trees, and prints what became of them. */
async function brought(
  server: ApiClient,
  request: NewJob,
  { options, io }: Asked<ImportCommandOptions & { readonly detach?: boolean }>,
): Promise<void> {
  const mode = options.json ? 'json' : terminalOrNone()
  const job = await runJob(server, request, { options, io, mode })
  if (job) reportJob(job, options, io)
}

/** @throws Failure of a job that brought nothing. */
export function reportJob(job: JobBody, options: { readonly json?: boolean }, io: CliIo): void {
  if (job.state !== 'done' && job.state !== 'quarantined') throw failureOfJob(job)
  if (job.lines[0] === unchangedText) io.out(options.json ? '{"event":"unchanged"}\n' : `${unchangedText}\n`)
  for (const { id, version, report } of job.trees) {
    if (report) {
      const tree = { id, version, report }
      io.out(options.json ? `${JSON.stringify(importEvent(tree))}\n` : importText(tree))
    }
    if (version === null) io.exit(exitCodes.badInput)
  }
  if (!options.json) printNotes(job.notes, io)
}
