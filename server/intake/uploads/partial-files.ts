import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CleanPath } from '../../files/path.ts'

/**
 * Which uploaded files are not complete. Each has a record: a small file that is written when a transfer
 * begins and removed when it ends well. After a crash the records of interrupted transfers are left, so a
 * partial file never counts as complete.
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

  /** The file is complete, or removed. */
  async end(path: CleanPath): Promise<void> {
    const name = this.#records.get(path)
    this.#records.delete(path)
    if (name !== undefined) await rm(join(this.#folder, name), { force: true })
  }

  /** A file, or the folder above it, got another name. */
  async moved(from: CleanPath, to: CleanPath): Promise<void> {
    for (const path of this.below(from)) {
      await this.begin(`${to}${path.slice(from.length)}` as CleanPath)
      await this.end(path)
    }
  }

  async endBelow(path: CleanPath): Promise<void> {
    for (const each of this.below(path)) await this.end(each)
  }

  /** At or below a path, sorted. */
  below(path: CleanPath): CleanPath[] {
    return [...this.#records.keys()].filter((each) => isAtOrBelow(path, each)).sort()
  }
}

export function isAtOrBelow(path: CleanPath, other: CleanPath): boolean {
  return path === '/' || other === path || other.startsWith(`${path}/`)
}
