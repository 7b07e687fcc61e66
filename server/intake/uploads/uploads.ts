import { mkdir, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { VerifyConfig } from '../../config/schema.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import type { EventSink } from '../../events/bus.ts'
import { diskSource } from '../../files/disk.ts'
import { type CleanPath, cleanPath, rootPath } from '../../files/path.ts'
import type { FileSource } from '../../files/source.ts'
import { readSignaturePolicy } from '../../verify/signatures/key-files.ts'
import { incomingFolder } from '../../versions/layout.ts'
import { VersionStore } from '../../versions/version-store.ts'
import { type Candidate, findCandidates, findImage } from '../candidates.ts'
import { findingText, publishTree } from '../publish-tree.ts'
import { isAtOrBelow, PartialFiles } from './partial-files.ts'
import { type UploadFile, UploadFolder, type WriteFrom } from './upload-folder.ts'

export interface UploadsOptions {
  /** `trees/` as configured; asked when uploads are opened. */
  readonly trees: () => string
  readonly events: EventSink
  /** The keys that signatures are checked with; asked at each publication. */
  readonly verify?: () => VerifyConfig
  /** How long nothing must come for an upload before it is verified and published by itself. */
  readonly quietMs?: number
  readonly clock?: () => number
}

export interface PublishOptions {
  readonly by?: string
  /** A folder that the operator put in its place may become an earlier version. */
  readonly replace?: boolean
  /** Publish in spite of faults, for this reason. */
  readonly accept?: string
  /** Nobody has said that all of it has come; it was only quiet for a while. */
  readonly unattended?: boolean
}

/** What came of publishing: under which name, or every reason against it, one line each. */
export interface PublishReport {
  readonly outcome: 'published' | 'refused'
  readonly lines: readonly string[]
}

/** One entry at the top of the area, as the API shows it. */
export interface UploadView {
  readonly name: string
  readonly state: 'receiving' | 'verifying' | 'waiting' | 'refused'
  /** Files that are not whole, relative to the area. */
  readonly partial: readonly string[]
  /** Of the last try to publish it. */
  readonly lines: readonly string[]
}

const defaultQuietMs = 30_000
/** Lines of a report; a tree whose every file is wrong needs no 60,000. */
const mostLines = 40

/**
 * Where administrators upload trees and ISOs, by HTTP and FTP alike. Nothing here is visible to anyone else. When an
 * upload has been quiet for a while, or somebody says so, it is verified, and moved out of here by being published.
 */
export class Uploads {
  readonly root: CleanPath = cleanPath('/incoming')
  readonly #options: UploadsOptions
  readonly #reports = new Map<string, PublishReport>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  /** Paths that are being verified: nothing may change there. */
  readonly #busy = new Set<CleanPath>()
  #store: VersionStore | undefined
  #folder: UploadFolder | undefined
  #partial: PartialFiles | undefined
  #source: FileSource | undefined
  #stopped = false

  constructor(options: UploadsOptions) {
    this.#options = options
  }

  /** Takes up what an earlier run left, and finishes a publication that it was stopped in. */
  async start(): Promise<void> {
    await mkdir(this.#options.trees(), { recursive: true })
    const trees = await realpath(this.#options.trees())
    this.#store = new VersionStore(trees, this.#options.clock)
    await this.#store.recover()
    const files = join(incomingFolder(trees), 'uploads')
    await mkdir(files, { recursive: true })
    this.#partial = new PartialFiles(join(incomingFolder(trees), 'uploads-partial'))
    await this.#partial.load()
    this.#folder = new UploadFolder(files, this.#partial)
    this.#source = diskSource(files)
    for (const name of await readdir(files)) this.#touched(cleanPath(name))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  /** What has been uploaded so far, half files included. */
  get files(): FileSource {
    if (!this.#source) throw notStarted()
    return this.#source
  }

  get #area(): UploadFolder {
    if (!this.#folder) throw notStarted()
    return this.#folder
  }

  async openForWriting(path: CleanPath, from: WriteFrom): Promise<UploadFile> {
    this.#checkFree(path)
    const file = await this.#area.open(path, from)
    this.#touched(path)
    return {
      get position() {
        return file.position
      },
      write: (bytes) => file.write(bytes),
      sync: () => file.sync(),
      close: async (outcome) => {
        await file.close(outcome).finally(() => this.#touched(path))
      },
    }
  }

  makeFolder(path: CleanPath): Promise<void> {
    return this.#change([path], () => this.#area.makeFolder(path))
  }

  /** With all folders above it; there may be some already. */
  makeFolders(path: CleanPath): Promise<void> {
    return this.#change([path], () => this.#area.makeFolder(path, true))
  }

  rename(from: CleanPath, to: CleanPath): Promise<void> {
    return this.#change([from, to], () => this.#area.rename(from, to))
  }

  removeFile(path: CleanPath): Promise<void> {
    return this.#change([path], () => this.#area.removeFile(path))
  }

  removeFolder(path: CleanPath): Promise<void> {
    return this.#change([path], () => this.#area.removeFolder(path))
  }

  removeAll(path: CleanPath): Promise<void> {
    return this.#change([path], () => this.#area.removeAll(path))
  }

  setModified(path: CleanPath, modifiedMs: number): Promise<void> {
    return this.#change([path], () => this.#area.setModified(path, modifiedMs))
  }

  /** Bytes of an uploaded file so far; undefined when there is none. */
  size(path: CleanPath): Promise<number | undefined> {
    return this.#area.size(path)
  }

  /** Whether the end of this file is still to come. */
  isPartial(path: CleanPath): boolean {
    return this.#partial?.below(path).includes(path) ?? false
  }

  /** Everything at the top of the area. */
  async list(): Promise<readonly UploadView[]> {
    const names = await readdir(this.#area.at(rootPath))
    return names.sort().map((name) => this.#viewOf(name))
  }

  /** Verifies what is below `path` and publishes every tree and image in it, or nothing and says why. */
  async publish(path: CleanPath, options: PublishOptions = {}): Promise<PublishReport> {
    this.#checkFree(path)
    const name = topOf(path)
    clearTimeout(this.#timers.get(name))
    this.#timers.delete(name)
    this.#busy.add(path)
    let report: PublishReport
    try {
      report = await this.#tryPublish(path, options)
    } catch (error) {
      report = { outcome: 'refused', lines: [failureMessage(error)] }
    } finally {
      this.#busy.delete(path)
    }
    if (report.outcome === 'published') this.#reports.delete(name)
    else this.#reports.set(name, report)
    const { outcome, lines } = report
    this.#options.events({ type: 'publish', id: path.slice(1) || 'uploads', outcome, lines })
    return report
  }

  async #tryPublish(path: CleanPath, options: PublishOptions): Promise<PublishReport> {
    const unfinished = this.#partial?.below(path) ?? []
    if (unfinished.length > 0) return refused(await Promise.all(unfinished.map((file) => this.#cutOff(file))))
    const place = await realpath(this.#area.at(path)).catch(() => undefined)
    if (place === undefined) throw new Failure('not-found', `nothing was uploaded at ${path}`)
    const found = await this.#publishable(path)
    if (found.length === 0)
      return refused([
        `${path} holds no installation tree: no descriptor (.treeinfo, .disk/info, content, ...), no kernel with its initrd in a place that we know, and no disc image`,
      ])
    const lines: string[] = []
    let outcome: PublishReport['outcome'] = 'published'
    for (const each of found) {
      const one = await this.#publishOne(path, each, options)
      if (one.outcome === 'refused') outcome = 'refused'
      lines.push(...one.lines)
    }
    return { outcome, lines: lines.slice(0, mostLines) }
  }

  /** What was named may be a folder or the image itself; an image is found in the folder above it. */
  async #publishable(path: CleanPath): Promise<readonly Candidate[]> {
    const isFile = (await this.#area.size(path)) !== undefined
    const folder = isFile ? path.slice(0, path.lastIndexOf('/')) : path
    const base = await realpath(this.#area.at((folder || '/') as CleanPath))
    if (!isFile) return findCandidates(base)
    const image = await findImage(base, join(base, path.slice(folder.length)))
    return image ? [image] : []
  }

  async #publishOne(path: CleanPath, found: Candidate, options: PublishOptions): Promise<PublishReport> {
    if (!this.#store) throw notStarted()
    const area = await realpath(this.#area.at(rootPath))
    const id = found.path.slice(area.length + 1).replace(/\.iso$/i, '')
    if (id === '')
      throw new Failure(
        'bad-request',
        'a tree needs a folder of its own: upload it into one, which gives it its id',
      )
    const { by = 'an administrator', replace = false, accept, unattended = false } = options
    const verify = this.#options.verify?.()
    const signatures = verify && (await readSignaturePolicy(verify))
    const candidate = {
      id,
      kind: found.kind,
      path: found.path,
      trees: found.trees,
      evidence: found.evidence,
      source: `an upload (${path})`,
      by,
      replace,
      unattended,
      ...(accept !== undefined && { accept: { by, why: accept } }),
    }
    const released = await publishTree(this.#store, candidate, signatures && { signatures })
    if (released.outcome === 'refused')
      return refused(
        released.findings
          .filter((each) => each.severity === 'error')
          .map((each) => `${id}: ${findingText(each)}`),
      )
    await this.#area.removeEmptyAbove(cleanPath(found.path.slice(area.length)))
    const { version, files } = released.record
    return { outcome: 'published', lines: [`${id}: published as version ${version}, ${files} files`] }
  }

  async #cutOff(file: CleanPath): Promise<string> {
    const size = await this.#area.size(file)
    const how = this.#area.writing.has(file) ? 'is still being uploaded' : 'was cut off'
    return `${file.slice(1)} ${how} after ${size ?? 0} bytes: resume it, upload it again, or remove it`
  }

  #viewOf(name: string): UploadView {
    const path = cleanPath(name)
    const partial = this.#partial?.below(path) ?? []
    const report = this.#reports.get(name)
    const isBusy = [...this.#busy].some((busy) => isAtOrBelow(path, busy) || isAtOrBelow(busy, path))
    const isReceiving = [...this.#area.writing].some((file) => isAtOrBelow(path, file))
    const state = isBusy ? 'verifying' : isReceiving ? 'receiving' : report ? 'refused' : 'waiting'
    return { name, state, partial: partial.map((file) => file.slice(1)), lines: report?.lines ?? [] }
  }

  async #change(paths: readonly CleanPath[], change: () => Promise<void>): Promise<void> {
    for (const path of paths) this.#checkFree(path)
    await change()
    for (const path of paths) this.#touched(path)
  }

  #checkFree(path: CleanPath): void {
    for (const busy of this.#busy)
      if (isAtOrBelow(busy, path) || isAtOrBelow(path, busy))
        throw new Failure('unavailable', `${busy} is being verified; try again when that is done`)
  }

  /** Something came for an upload: it is published when nothing more does. */
  #touched(path: CleanPath): void {
    const name = topOf(path)
    if (name === '' || this.#stopped) return
    clearTimeout(this.#timers.get(name))
    this.#reports.delete(name)
    const { quietMs = defaultQuietMs } = this.#options
    this.#timers.set(name, setTimeout(() => void this.#whenQuiet(name), quietMs).unref())
  }

  async #whenQuiet(name: string): Promise<void> {
    const path = cleanPath(name)
    this.#timers.delete(name)
    const isReceiving = [...this.#area.writing].some((file) => isAtOrBelow(path, file))
    if (isReceiving) return this.#touched(path)
    const names: readonly string[] = await readdir(this.#area.at(rootPath)).catch(() => [])
    if (names.includes(name)) await this.publish(path, { unattended: true }).catch(() => undefined)
  }
}

function topOf(path: CleanPath): string {
  return path.split('/')[1] ?? ''
}

function refused(lines: readonly string[]): PublishReport {
  return { outcome: 'refused', lines: lines.slice(0, mostLines) }
}

function notStarted(): Failure {
  return new Failure('unavailable', 'uploads are not open yet')
}
