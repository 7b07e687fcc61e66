import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { failureMessage } from '../core/failure.ts'
import type { DigestAlgorithm } from '../core/tree/tree.ts'
import type { Stamp } from '../files/listing-source.ts'
import { makeFolder, writeAtomically } from '../host/atomic-write.ts'
import { lru } from '../host/lru.ts'

/**
 * How many files the cache holds: a thousand trees name some ten thousand with a digest. The ones that were
 * used longest ago are forgotten first.
 */
const maxFiles = 50_000
const fileName = 'verified.json'

interface CachedDigests {
  readonly size: number
  readonly mtimeMs: number
  readonly inode: number
  readonly digests: Partial<Record<DigestAlgorithm, string>>
}

/**
 * Digests that were computed once, by path, size, modification time and inode of the file. They are kept in
 * `data/verified.json`, so that a restart with a thousand trees does not read them all again. The cache only
 * saves work: without the file, or with a damaged one, everything is computed again.
 */
export class VerifyCache {
  readonly #dataFolder: string
  readonly #files = lru<string, CachedDigests>(maxFiles)
  #dirty = false
  #saving: Promise<void> = Promise.resolve()

  constructor(dataFolder: string) {
    this.#dataFolder = dataFolder
  }

  /** Adds what the file has. Returns a message when it cannot be used; nothing is added then. */
  async load(folder = this.#dataFolder): Promise<string | undefined> {
    const file = join(folder, fileName)
    let text: string
    try {
      text = await readFile(file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      return `${file} cannot be read (${failureMessage(error)}); digests are computed anew`
    }
    const files = parseCache(text)
    if (!files) return `${file} is damaged and was ignored; digests are computed anew`
    for (const [path, cached] of files) this.#files.set(path, cached)
    return undefined
  }

  get(stamp: Stamp, algorithm: DigestAlgorithm): string | undefined {
    const known = this.#files.get(stamp.file)
    return known && belongsTo(known, stamp) ? known.digests[algorithm] : undefined
  }

  set(stamp: Stamp, algorithm: DigestAlgorithm, hex: string): void {
    const known = this.#files.get(stamp.file)
    const others = known && belongsTo(known, stamp) ? known.digests : {}
    const { size, mtimeMs, inode } = stamp
    this.#files.set(stamp.file, { size, mtimeMs, inode, digests: { ...others, [algorithm]: hex } })
    this.#dirty = true
  }

  /** Writes the file if digests were added since the last write. Writes run one after the other. */
  save(folder = this.#dataFolder): Promise<void> {
    const file = join(folder, fileName)
    const write = async (): Promise<void> => {
      if (!this.#dirty) return
      this.#dirty = false
      // The least recently used comes first, so that the next process loads them in the same order.
      const files = Object.fromEntries(this.#files.rentries())
      try {
        await makeFolder(folder)
        await writeAtomically(file, JSON.stringify({ version: 1, files }))
      } catch (error) {
        this.#dirty = true
        throw error
      }
    }
    this.#saving = this.#saving.catch(() => undefined).then(write)
    return this.#saving
  }
}

function belongsTo(known: CachedDigests, stamp: Stamp): boolean {
  return known.size === stamp.size && known.mtimeMs === stamp.mtimeMs && known.inode === stamp.inode
}

function parseCache(text: string): [string, CachedDigests][] | undefined {
  try {
    const parsed = JSON.parse(text) as { version?: unknown; files?: unknown }
    if (parsed.version !== 1 || typeof parsed.files !== 'object' || parsed.files === null) return undefined
    const files = Object.entries(parsed.files)
    return files.every((entry): entry is [string, CachedDigests] => isCachedDigests(entry[1]))
      ? files
      : undefined
  } catch {
    return undefined
  }
}

function isCachedDigests(value: unknown): value is CachedDigests {
  const { size, mtimeMs, inode, digests } = (value ?? {}) as Record<string, unknown>
  return (
    [size, mtimeMs, inode].every((number) => typeof number === 'number') &&
    typeof digests === 'object' &&
    digests !== null &&
    Object.values(digests).every((hex) => typeof hex === 'string' && /^[0-9a-f]+$/.test(hex))
  )
}
