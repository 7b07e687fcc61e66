import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CleanPath } from '../../files/path.ts'

/**
 * Records which uploaded files are not complete. A record is a small file that is written when a transfer
 * begins and removed when the transfer is complete. After a crash the records of interrupted transfers are
 * still there, so a partial file never counts as complete.
 */
export class PartialFiles {
  readonly #folder: string
  readonly #records = new Map<CleanPath, string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  async load(): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    for (const name of await readdir(this.#folder)) {
      const path = await readFile(join(this.#folder, name), 'utf8').catch(() => '')
      if (path.startsWith('/')) this.#records.set(path as CleanPath, name)
    }
  }

  async begin(path: CleanPath): Promise<void> {
    if (this.#records.has(path)) return
    const name = createHash('sha256').update(path).digest('hex').slice(0, 40)
    await writeFile(join(this.#folder, name), path)
    this.#records.set(path, name)
  }

  /** Removes the record of a file that is complete or was removed. */
  async end(path: CleanPath): Promise<void> {
    const name = this.#records.get(path)
    this.#records.delete(path)
    if (name !== undefined) await rm(join(this.#folder, name), { force: true })
  }

  /** Moves the records of a file, or of all files in a folder, that got another name. */
  async move(from: CleanPath, to: CleanPath): Promise<void> {
    for (const path of this.below(from)) {
      await this.begin(`${to}${path.slice(from.length)}` as CleanPath)
      await this.end(path)
    }
  }

  async endBelow(path: CleanPath): Promise<void> {
    for (const each of this.below(path)) await this.end(each)
  }

  /** The partial files at or below a path, sorted. */
  below(path: CleanPath): CleanPath[] {
    return [...this.#records.keys()].filter((each) => isAtOrBelow(path, each)).sort()
  }
}

/** Whether `path` is `above` itself or lies below it. */
export function isAtOrBelow(above: CleanPath, path: CleanPath): boolean {
  return above === '/' || path === above || path.startsWith(`${above}/`)
}
