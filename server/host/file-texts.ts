import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { LRUCache } from 'lru-cache'

/** Of all texts together, in characters. */
const mostCharacters = 64 * 2 ** 20
/** A file that changed later than this before it was read may change again without getting another time. */
const restedMs = 2_000

interface Kept {
  readonly identity: string
  readonly text: string
}

/**
 * The texts of small files, kept while their files are the same: ten thousand files cost a second to read, and a fifth of
 * that to look at. A file is the same by device, inode, size and both its times, of which nobody can set `ctime`.
 */
export class FileTexts {
  readonly #kept = new LRUCache<string, Kept>({
    maxSize: mostCharacters,
    sizeCalculation: ({ text }) => text.length + 1,
  })

  /** @param read Reads the file. What it throws is not kept, nor is undefined. */
  async text<None>(path: string, read: () => Promise<string | None>): Promise<string | None> {
    const before = await stat(path, { bigint: true }).catch(() => undefined)
    const identity = before && identityOf(before)
    const kept = this.#kept.get(path)
    if (kept !== undefined && kept.identity === identity) return kept.text
    const text = await read()
    const after = await stat(path, { bigint: true }).catch(() => undefined)
    const isSame = after !== undefined && identityOf(after) === identity
    const hasRested = after !== undefined && Date.now() - Number(after.ctimeMs) > restedMs
    if (typeof text === 'string' && identity !== undefined && isSame && hasRested)
      this.#kept.set(path, { identity, text })
    else this.#kept.delete(path)
    return text
  }
}

function identityOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
}
