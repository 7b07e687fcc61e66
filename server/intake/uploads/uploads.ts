import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { VerifyConfig } from '../../config/schema.ts'
import { Failure, failureMessage } from '../../core/failure.ts'
import type { EventSink } from '../../events/bus.ts'
import { type CleanPath, cleanPath } from '../../files/path.ts'
import type { PublishReport, UploadArea } from '../../files/upload-area.ts'
import { incomingFolder } from '../../versions/layout.ts'
import { VersionStore } from '../../versions/version-store.ts'
import type { ImportResult } from '../import/import-tree.ts'
import type { BootGate } from '../publish-tree.ts'
import { isImportFolder } from './import-name.ts'
import { type PublishedUpload, type PublishOptions, publishUpload } from './publish-upload.ts'
import { failureOf, UploadFolder } from './upload-folder.ts'

export interface UploadsOptions {
  /** `trees/` as configured; read when uploads are opened. */
  readonly trees: () => string
  /** `limits.min-free`; read when uploads are opened. */
  readonly minFree?: () => number | undefined
  readonly events: EventSink
  /** How signatures are checked; read at each publication. */
  readonly verify?: () => VerifyConfig
  /** The boot test of versions; read at each publication. */
  readonly bootGate?: () => BootGate | undefined
  /** Called with the ids of published trees; resolves when they are offered to clients. */
  readonly onPublished?: (ids: readonly string[]) => Promise<void>
  /**
   * How long an upload must be quiet until it is verified and published although nobody asked for that.
   */
  readonly quietMs?: number
  /** Whether a job that waits or runs will publish this name at the top of the area, or a part of it. */
  readonly isAwaited?: (name: string) => boolean
  readonly clock?: () => number
}

/** One file or folder at the top of the area, as the API shows it. */
export interface UploadView {
  readonly name: string
  /** `waiting`: nothing arrives, and no verification has refused it since its last change. */
  readonly state: 'receiving' | 'verifying' | 'waiting' | 'refused'
  /** Files that are not complete, relative to the area. */
  readonly partial: readonly string[]
  /** The reasons why the last publication was refused; empty when it was not. */
  readonly lines: readonly string[]
}

const defaultQuietMs = 30_000

/**
 * The area to which administrators upload trees and ISOs, over HTTP and FTP alike. Other clients do not see
 * the area. An upload is verified when nothing has arrived for a while, or when an administrator asks for it.
 * Publishing moves it out of the area.
 */
export class Uploads extends UploadFolder implements UploadArea {
  readonly #options: UploadsOptions
  readonly #refusals = new Map<string, PublishReport>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  #store: VersionStore | undefined
  #stopped = false

  constructor(options: UploadsOptions) {
    super()
    this.#options = options
  }

  /** Opens the area with the uploads that an earlier run left, and finishes an interrupted publication. */
  async start(): Promise<void> {
    const folder = this.#options.trees()
    const trees = await realpath(folder).catch((error: unknown) => this.#stayClosed(folder, error))
    if (trees === undefined) return
    this.#store = new VersionStore(trees, this.#options.clock)
    const recovered = await this.#store.recover((id, error) => this.#reportTrouble(error, `tree ${id}`))
    const incoming = incomingFolder(trees)
    await this.openFolder(
      join(incoming, 'uploads'),
      join(incoming, 'uploads-partial'),
      this.#options.minFree?.(),
    )
    // What was left is published after a quiet time, too.
    for (const name of await this.names()) this.onChange(cleanPath(name))
    await this.#offer(recovered)
  }

  /** The folder is not made: its name may be a mistake, or a disk that is not mounted. */
  #stayClosed(folder: string, error: unknown): undefined {
    const why = `no uploads: ${failureMessage(error)}; make ${folder} or correct paths.trees, and restart treeboot`
    this.#options.events({ type: 'trouble', where: 'uploads', message: why })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  /** Everything at the top of the area. */
  async list(): Promise<readonly UploadView[]> {
    return (await this.names()).map((name) => this.#viewOf(name))
  }

  /**
   * Verifies what is below `path`, and publishes every tree and image in it that is whole. Resolves when the
   * published trees are offered to clients.
   */
  async publish(path: CleanPath, options: PublishOptions = {}): Promise<PublishReport> {
    const release = this.hold(path)
    const name = topOf(path)
    clearTimeout(this.#timers.get(name))
    this.#timers.delete(name)
    const { report, ids } = await this.#tryPublish(path, options).finally(release)
    if (report.outcome === 'published') this.#refusals.delete(name)
    else this.#refusals.set(name, report)
    const { events } = this.#options
    // The path `/` publishes the whole area.
    events({ type: 'publish', id: path.slice(1) || 'uploads', ...report })
    await this.#offer(ids)
    return report
  }

  /**
   * Hands an uploaded file to an import, which nothing changes meanwhile. When all of it was published, the upload is
   * removed.
   *
   * @param work Gets the path of the file on this machine, and how the record of the version calls it.
   * @throws Failure `not-found`, `conflict` for a file that is not complete; as `work` does, without the path.
   */
  async importFile<Result extends Pick<ImportResult, 'trees'>>(
    path: CleanPath,
    work: (file: string, shownAs: string) => Promise<Result>,
  ): Promise<Result> {
    const release = this.hold(path)
    const file = this.diskPath(path)
    const shownAs = `an upload (${path})`
    let isPublished = false
    try {
      if ((await this.size(path)) === undefined)
        throw new Failure('not-found', `no file was uploaded as ${path.slice(1)}, or it is published already`)
      if (this.isPartial(path)) throw new Failure('conflict', `${path.slice(1)} is not complete; resume it`)
      const result = await work(file, shownAs)
      isPublished = result.trees.every((tree) => tree.result.outcome === 'published')
      return result
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      throw new Failure(error.kind, error.message.replaceAll(file, path.slice(1)), { cause: error })
    } finally {
      release()
      if (isPublished) {
        await this.removeFile(path)
        await this.removeEmptyAbove(path)
      }
    }
  }

  /** Resolves when published trees are offered to clients. */
  async #offer(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    await this.#options.onPublished?.(ids).catch((error: unknown) => this.#reportTrouble(error))
  }

  async #tryPublish(path: CleanPath, options: PublishOptions): Promise<PublishedUpload> {
    try {
      if (!this.#store) throw new Failure('unavailable', 'uploads are not open yet')
      return await publishUpload(
        {
          store: this.#store,
          folder: this,
          verify: this.#options.verify?.(),
          bootGate: this.#options.bootGate?.(),
        },
        path,
        options,
      )
    } catch (error) {
      if (options.signal?.aborted) throw error
      // The administrator sees the message, and no path of this machine.
      return { report: { outcome: 'refused', lines: [failureOf(path, error).message] }, ids: [] }
    }
  }

  /**
   * Reports a failure of `onPublished`. The trees are published already, and the watcher of the trees folder
   * finds them later.
   */
  #reportTrouble(error: unknown, where = 'uploads'): void {
    this.#options.events({ type: 'trouble', where, message: failureMessage(error) })
  }

  #viewOf(name: string): UploadView {
    const path = cleanPath(name)
    const partial = this.partialFiles(path).map((file) => file.slice(1))
    return { name, state: this.#stateOf(path), partial, lines: this.#refusals.get(name)?.lines ?? [] }
  }

  #stateOf(path: CleanPath): UploadView['state'] {
    if (this.isHeld(path)) return 'verifying'
    if (this.isReceiving(path)) return 'receiving'
    return this.#refusals.has(topOf(path)) ? 'refused' : 'waiting'
  }

  /** Restarts the timer that publishes an upload after a quiet time. */
  protected override onChange(path: CleanPath): void {
    const name = topOf(path)
    if (name === '' || this.#stopped) return
    clearTimeout(this.#timers.get(name))
    this.#refusals.delete(name)
    const { quietMs = defaultQuietMs } = this.#options
    this.#timers.set(name, setTimeout(() => void this.#publishQuiet(name), quietMs).unref())
  }

  async #publishQuiet(name: string): Promise<void> {
    const path = cleanPath(name)
    this.#timers.delete(name)
    if (this.isReceiving(path)) return this.onChange(path)
    if (isImportFolder(name) || this.#options.isAwaited?.(name)) return
    const names: readonly string[] = await this.names().catch(() => [])
    // It rejects only while something at, below or above the path is being verified already.
    if (names.includes(name)) await this.publish(path, { unattended: true }).catch(() => undefined)
  }
}

function topOf(path: CleanPath): string {
  return path.split('/')[1] ?? ''
}
