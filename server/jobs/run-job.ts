import { realpath } from 'node:fs/promises'
import type { Snapshot } from '../catalog/snapshot.ts'
import type { Config } from '../config/schema.ts'
import type { VmFirmware } from '../core/boot/test-firmware.ts'
import type { OnBootTest } from '../core/boottest/progress.ts'
import { type BootTestResult, resultText } from '../core/boottest/result.ts'
import { defined } from '../core/defined.ts'
import { Failure } from '../core/failure.ts'
import type { Tree } from '../core/tree/tree.ts'
import type { EventSink } from '../events/bus.ts'
import { cleanPath } from '../files/path.ts'
import { configuredOptions, linesOfTree, reportTrees } from '../intake/configured-options.ts'
import { importLocal } from '../intake/import/import-tree.ts'
import { testProgress } from '../intake/import/progress.ts'
import { AddressGuard } from '../intake/mirror/address-guard.ts'
import type { MirrorRunner } from '../intake/mirror/mirror-runner.ts'
import { mirrorTree } from '../intake/mirror/mirror-tree.ts'
import type { MirrorOptions, MirrorResult } from '../intake/mirror/options.ts'
import { type BootGate, errorTexts } from '../intake/publish-tree.ts'
import { importReport, unchangedText, verifyReport } from '../intake/tree-report.ts'
import type { Uploads } from '../intake/uploads/uploads.ts'
import { verifyAgain } from '../intake/verify-again.ts'
import { readSignaturePolicy } from '../verify/signatures/key-files.ts'
import { VersionStore } from '../versions/version-store.ts'
import { isUrl, requireListedPath, requireListedUrl } from './allowed.ts'
import type { JobOutcome, JobRequest } from './job.ts'
import type { JobRun } from './jobs.ts'

/** The parts of the server that jobs work with. */
export interface JobParts {
  readonly snapshot: () => Snapshot
  readonly events: EventSink
  readonly mirrors: Pick<MirrorRunner, 'runNow'>
  readonly uploads: Pick<Uploads, 'publish' | 'importFile'>
  /** Called with the ids of published trees; resolves when they are offered to clients. */
  readonly onPublished: (ids: readonly string[]) => Promise<void>
  /** The boot test of versions; read at each run. */
  readonly bootGate?: () => BootGate | undefined
  /** Boots machines from a tree that is there. */
  readonly testTree: (
    tree: Tree,
    firmware: readonly VmFirmware[],
    watch: { readonly signal: AbortSignal; readonly onProgress: OnBootTest },
  ) => Promise<readonly BootTestResult[]>
  /** For tests. */
  readonly fetching?: MirrorOptions['fetching']
}

/**
 * Checks what can be checked before a job waits for its turn.
 *
 * @throws Failure `forbidden` for a source that `imports.allow` does not list, `not-found`, `bad-request`.
 */
export async function checkRequest(request: JobRequest, { config, trees }: Snapshot): Promise<void> {
  if (request.kind === 'import') await checkImport(request, config)
  if (request.kind === 'mirror') checkMirror(request, config)
  if ((request.kind === 'verify' || request.kind === 'boot-test') && !trees.byId(request.tree))
    throw new Failure('not-found', `no tree ${request.tree}; /api/v1/trees lists them`)
  if ('id' in request && request.id !== undefined)
    await (await storeOf(config)).checkIdIsFree(request.id, request.replace)
}

async function checkImport({ source, upload }: Of<'import'>, { imports: { allow } }: Config): Promise<void> {
  if ((source === undefined) === (upload === undefined))
    throw new Failure('bad-request', 'an import job: expected either source or upload')
  if (source === undefined) return
  if (isUrl(source)) requireListedUrl(source, allow)
  else await requireListedPath(source, allow)
}

function checkMirror(request: Of<'mirror'>, config: Config): void {
  const { mirror, urls } = request
  if ((mirror === undefined) === (urls === undefined))
    throw new Failure('bad-request', 'a mirror job: expected either mirror or urls')
  for (const url of urls ?? []) requireListedUrl(url, config.imports.allow)
  if (mirror !== undefined) mirrorNamed(config, request)
}

/** Does the work of jobs, with the functions that the commands use. */
export function jobRunner(parts: JobParts): (run: JobRun) => Promise<JobOutcome> {
  return async (run) => {
    const { request } = run
    // What is allowed may have changed while it waited.
    await checkRequest(request, parts.snapshot())
    switch (request.kind) {
      case 'import':
        return importOutcome(await runImport(request, run, parts), parts)
      case 'mirror':
        return importOutcome(await runMirror(request, run, parts), parts)
      case 'verify':
        return runVerify(request, run, parts)
      case 'publish':
        return runPublish(request, run, parts)
      case 'boot-test':
        return runBootTest(request, run, parts)
    }
  }
}

type Of<Kind extends JobRequest['kind']> = Extract<JobRequest, { readonly kind: Kind }>
type Brought = Pick<MirrorResult, 'trees' | 'notes'> & { readonly unchanged?: boolean; readonly from: string }

async function runImport(request: Of<'import'>, run: JobRun, parts: JobParts): Promise<Brought> {
  const { config } = parts.snapshot()
  const { source = '', upload, unpack } = request
  const store = await storeOf(config)
  const options = { ...(await optionsFor(request, run, parts)), ...defined({ unpack }) }
  if (upload !== undefined) {
    // The bytes are here already: the version gets them by another name.
    const result = await parts.uploads.importFile(cleanPath(upload), (path, shownAs) =>
      importLocal(store, path, { ...options, hardLink: true, shownAs }),
    )
    reportTrees(parts.events, result.trees, upload)
    return { ...result, from: `the upload ${upload}` }
  }
  const result = isUrl(source)
    ? await mirrorTree(store, [source], { ...options, guard: new AddressGuard(config.imports.allow) })
    : await importLocal(store, await requireListedPath(source, config.imports.allow), options)
  reportTrees(parts.events, result.trees, source)
  return { ...result, from: source }
}

async function runMirror(request: Of<'mirror'>, run: JobRun, parts: JobParts): Promise<Brought> {
  const { config } = parts.snapshot()
  const { mirror, urls = [], bootOnly } = request
  if (mirror !== undefined) {
    const { by, signal, onProgress, onRetry } = run
    const { replace } = request
    const shared = { by, signal, onProgress, onRetry, ...acceptance(request, by), ...defined({ replace }) }
    const result = await parts.mirrors.runNow(mirrorNamed(config, request), shared)
    return { ...result, from: `the mirror ${mirror}` }
  }
  const guard = new AddressGuard(config.imports.allow)
  const options = { ...(await optionsFor(request, run, parts)), ...defined({ bootOnly }), guard }
  const result = await mirrorTree(await storeOf(config), urls, options)
  reportTrees(parts.events, result.trees, urls[0] ?? '')
  return { ...result, from: urls[0] ?? '' }
}

async function importOutcome(
  { trees, notes, unchanged = false, from }: Brought,
  { onPublished }: JobParts,
): Promise<JobOutcome> {
  const published = trees.filter(({ result }) => result.outcome === 'published').map(({ id }) => id)
  if (published.length > 0) await onPublished(published)
  const lines = [
    ...(unchanged ? [unchangedText] : []),
    ...trees.flatMap((tree) => linesOfTree(tree, from)),
    ...notes,
  ]
  return {
    state: published.length === trees.length ? 'done' : 'quarantined',
    lines,
    notes,
    trees: trees.map((tree) => ({
      id: tree.id,
      version: tree.result.outcome === 'published' ? tree.result.record.version : null,
      report: importReport(tree),
    })),
  }
}

async function runVerify(request: Of<'verify'>, run: JobRun, { snapshot }: JobParts): Promise<JobOutcome> {
  const { config, trees } = snapshot()
  const tree = trees.byId(request.tree)
  if (!tree) throw new Failure('not-found', `no tree ${request.tree}`)
  const signatures = await readSignaturePolicy(config.verify)
  const report = await verifyAgain(config.paths.trees, tree, {
    packages: request.packages ?? true,
    signal: run.signal,
    onProgress: (doneBytes, totalBytes) => run.onProgress({ stage: 'verifying', doneBytes, totalBytes }),
    ...defined({ signatures }),
  })
  const { files, bytes, findings } = report
  const faults = errorTexts(findings)
  const summary = `${files} files checked, ${bytes} bytes read`
  const verified = [{ id: tree.id, version: tree.release?.version ?? null, report: verifyReport(report) }]
  if (faults.length === 0) return { state: 'done', lines: [`${tree.id}: whole; ${summary}`], trees: verified }
  const message = `${tree.id}: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}; ${summary}`
  return { state: 'failed', lines: faults, trees: verified, problem: { kind: 'invalid-data', message } }
}

async function runPublish(request: Of<'publish'>, run: JobRun, { uploads }: JobParts): Promise<JobOutcome> {
  const { replace, accept } = request
  const { by, signal, onProgress } = run
  const options = { by, signal, onProgress, ...defined({ replace, accept }) }
  const { outcome, lines } = await uploads.publish(cleanPath(request.upload), options)
  return { state: outcome === 'published' ? 'done' : 'quarantined', lines: [...lines], trees: [] }
}

async function runBootTest(
  request: Of<'boot-test'>,
  { signal, onProgress }: JobRun,
  { snapshot, testTree }: JobParts,
): Promise<JobOutcome> {
  const tree = snapshot().trees.byId(request.tree)
  if (!tree) throw new Failure('not-found', `no tree ${request.tree}`)
  const results = await testTree(tree, request.firmware, { signal, onProgress: testProgress(onProgress) })
  const lines = results.length === 0 ? [`${tree.id}: no machine boots from it`] : results.map(resultText)
  const tested = { lines, trees: [{ id: tree.id, version: tree.release?.version ?? null }] }
  const missing = results.filter(({ outcome }) => outcome !== 'passed').length
  if (missing === 0) return { state: 'done', ...tested }
  const message = `${tree.id}: ${missing} of ${results.length} boot tests did not pass`
  return { state: 'failed', ...tested, problem: { kind: 'invalid-data', message } }
}

async function optionsFor(
  request: Of<'import'> | Of<'mirror'>,
  { by, signal, onProgress, onRetry }: JobRun,
  { snapshot, fetching, bootGate }: JobParts,
): Promise<MirrorOptions> {
  const { id, replace } = request
  return {
    ...(await configuredOptions(snapshot().config)),
    ...acceptance(request, by),
    ...defined({ id, replace, fetching, bootGate: bootGate?.() }),
    by,
    signal,
    onProgress,
    onRetry,
  }
}

function acceptance({ accept }: { readonly accept?: string | undefined }, by: string) {
  return accept === undefined ? {} : { accept: { by, why: accept } }
}

function mirrorNamed({ mirrors }: Config, { mirror = '' }: Of<'mirror'>) {
  const found = mirrors.find(({ id }) => id === mirror)
  if (!found) throw new Failure('not-found', `no mirror ${mirror}; /api/v1/mirrors lists them`)
  return found
}

async function storeOf({ paths }: Config): Promise<VersionStore> {
  return new VersionStore(await realpath(paths.trees))
}
