import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../../core/failure.ts'
import { syncFolder } from '../../host/atomic-write.ts'
import { digestBytes } from './handle.ts'

/** The longest table file, since clients can make us keep paths. A tree of 60,000 packages takes 6 MB. */
const maxFileBytes = 512 * 1024 * 1024

/**
 * The table of paths that are too long for a handle, by digest. Its file is `nfs-handles` in the data folder,
 * with one `<digest in hex> <path>` per line. Lines are only appended. A path has no control characters, so
 * it never breaks a line. A client gets a digest only after its line is on the disk (`saved`); otherwise a
 * restart would make the handle stale.
 */
export class PathTable {
  readonly #file: FileHandle
  readonly #paths = new Map<string, string>()
  #bytes = 0
  #unsaved: string[] = []
  #saving: Promise<void> | undefined

  private constructor(file: FileHandle) {
    this.#file = file
  }

  static async open(dataFolder: string): Promise<PathTable> {
    const path = join(dataFolder, 'nfs-handles')
    try {
      const table = new PathTable(await open(path, 'a+', 0o600))
      await table.#load()
      // The file may be new.
      await syncFolder(dataFolder)
      return table
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Failure('unavailable', `NFS cannot open its table of file handles ${path}: ${reason}`, {
        cause: error,
      })
    }
  }

  get size(): number {
    return this.#paths.size
  }

  find(digest: Buffer): string | undefined {
    return this.#paths.get(digest.toString('hex'))
  }

  /** @throws Failure `unavailable` when the table is full. */
  add(digest: Buffer, path: string): void {
    const key = digest.toString('hex')
    if (this.#paths.has(key)) return
    const line = `${key} ${path}\n`
    const bytes = Buffer.byteLength(line)
    if (this.#bytes + bytes > maxFileBytes)
      throw new Failure(
        'unavailable',
        `the table of NFS file handles is full (${maxFileBytes} bytes); stop treeboot, delete nfs-handles from its data folder, and mount again`,
      )
    this.#bytes += bytes
    this.#paths.set(key, path)
    this.#unsaved.push(line)
  }

  /** Resolves when all paths added so far are on the disk. Many callers share one write. */
  async saved(): Promise<void> {
    // A running write may have begun before the last addition: the second turn of the loop writes that.
    while (this.#unsaved.length > 0 || this.#saving !== undefined) {
      this.#saving ??= this.#save().finally(() => {
        this.#saving = undefined
      })
      await this.#saving
    }
  }

  async close(): Promise<void> {
    try {
      await this.saved()
    } finally {
      await this.#file.close()
    }
  }

  async #save(): Promise<void> {
    const lines = this.#unsaved
    this.#unsaved = []
    try {
      await this.#file.appendFile(lines.join(''))
      await this.#file.datasync()
    } catch (error) {
      // The next caller tries again. A line that is written twice does no harm, and `#load` skips a line that
      // was cut short.
      this.#unsaved = ['\n', ...lines, ...this.#unsaved]
      throw new Failure(
        'unavailable',
        `the table of NFS file handles cannot be written: ${(error as Error).message}`,
        { cause: error },
      )
    }
  }

  /** Skips lines that are damaged: a crash may have cut one short. */
  async #load(): Promise<void> {
    const text = await this.#file.readFile('utf8')
    this.#bytes = Buffer.byteLength(text)
    const keyLength = 2 * digestBytes
    for (const line of text.split('\n')) {
      if (!line.startsWith(' /', keyLength)) continue
      this.#paths.set(line.slice(0, keyLength), line.slice(keyLength + 1))
    }
    // The next path must begin on a line of its own.
    if (text !== '' && !text.endsWith('\n')) await this.#file.appendFile('\n')
  }
}
