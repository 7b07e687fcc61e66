import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CleanPath } from '../../files/path.ts'

/**
 * Which uploaded files are not whole: one small file each, made when a transfer begins and removed when it has ended
 * as it should. So a crash leaves behind what it cut off, and a file is never taken as whole by mistake.
 */
export class PartialFiles {
  readonly #folder: string
  readonly #known = new Map<CleanPath, string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  async load(): Promise<void> {
    await mkdir(this.#folder, { recursive: true })
    for (const name of await readdir(this.#folder)) {
      const path = await readFile(join(this.#folder, name), 'utf8').catch(() => '')
      if (path.startsWith('/')) this.#known.set(path as CleanPath, name)
    }
  }

  async begin(path: CleanPath): Promise<void> {
    if (this.#known.has(path)) return
    const name = createHash('sha256').update(path).digest('hex').slice(0, 40)
    await writeFile(join(this.#folder, name), path)
    this.#known.set(path, name)
  }

  /** The file is whole, or gone. */
  async end(path: CleanPath): Promise<void> {
    const name = this.#known.get(path)
    this.#known.delete(path)
    if (name !== undefined) await rm(join(this.#folder, name), { force: true })
  }

  /** A file or a folder of them got another name. */
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
    return [...this.#known.keys()].filter((each) => isAtOrBelow(path, each)).sort()
  }
}

export function isAtOrBelow(path: CleanPath, other: CleanPath): boolean {
  return path === '/' || other === path || other.startsWith(`${path}/`)
}
