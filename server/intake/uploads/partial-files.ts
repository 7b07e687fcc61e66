import { createHash } from 'node:crypto'
import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { CleanPath } from '../../files/path.ts'
import { makeFolder, syncFolder, writeAtomically } from '../../host/atomic-write.ts'

/**
 * Records which uploaded files are not complete. A record is a small file. It is on the disk before the first
 * byte of a transfer is, and its removal is before the client is told that the file is complete. So after a
 * crash, of the process or of the machine, a partial file never counts as complete, nor the other way round.
 */
export class PartialFiles {
  readonly #folder: string
  readonly #records = new Map<CleanPath, string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Reads the records. Those of files that are not there any more, as `exists` says, are removed. */
  async load(exists: (path: CleanPath) => Promise<boolean>): Promise<void> {
    await makeFolder(this.#folder)
    for (const name of await readdir(this.#folder)) {
      const text = await readFile(join(this.#folder, name), 'utf8').catch(() => '')
      // A temporary file of `writeAtomically` is no record: its upload had not begun.
      const path = !name.endsWith('.tmp') && text.startsWith('/') ? (text as CleanPath) : undefined
      if (path !== undefined && (await exists(path))) this.#records.set(path, name)
      else await rm(join(this.#folder, name), { force: true })
    }
  }

  async begin(path: CleanPath): Promise<void> {
    if (this.#records.has(path)) return
    const name = createHash('sha256').update(path).digest('hex').slice(0, 40)
    await writeAtomically(join(this.#folder, name), path)
    this.#records.set(path, name)
  }

  /** Removes the record of a file that is complete or was removed. A failure leaves the record. */
  async end(path: CleanPath): Promise<void> {
    const name = this.#records.get(path)
    if (name === undefined) return
    await rm(join(this.#folder, name), { force: true })
    this.#records.delete(path)
    await syncFolder(this.#folder)
  }

  /**
   * Moves a file, or a folder with files, and its records: those under the new names come first, and the old ones
   * go last.
   */
  async move(from: CleanPath, to: CleanPath, rename: () => Promise<void>): Promise<void> {
    const moved = this.below(from).map(
      (path) => [path, `${to}${path.slice(from.length)}` as CleanPath] as const,
    )
    const begun = moved.filter(([, path]) => !this.#records.has(path))
    try {
      for (const [, path] of moved) await this.begin(path)
      await rename()
    } catch (error) {
      for (const [, path] of begun) await this.end(path).catch(() => undefined)
      throw error
    }
    for (const [path] of moved) await this.end(path)
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
