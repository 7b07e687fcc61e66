import { mkdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { failureMessage } from '../core/failure.ts'
import type { DigestAlgorithm } from '../core/tree/tree.ts'
import type { Stamp } from '../files/listing-source.ts'
import { writeAtomically } from '../host/atomic-write.ts'

/** Files whose digests are remembered at most; the ones asked for longest ago are forgotten first. */
const rememberedFiles = 50_000

interface Remembered {
  readonly size: number
  readonly mtimeMs: number
  readonly inode: number
  readonly digests: Partial<Record<DigestAlgorithm, string>>
}

/**
 * Digests that were computed once, by path, size, modification time and inode of the file. Kept in
 * `data/verified.json`, so that a restart with a thousand trees does not read them all again. Only ever a saving:
 * without the file, or with a damaged one, everything is computed anew.
 */
export class VerifyCache {
  readonly #file: string
  readonly #known = new Map<string, Remembered>()
  #dirty = false
  #saving: Promise<void> = Promise.resolve()

  constructor(dataFolder: string) {
    this.#file = join(dataFolder, 'verified.json')
  }

  /** Reads the file. Returns a message when there is one and it is no good; it is then as if it were absent. */
  async load(): Promise<string | undefined> {
    let text: string
    try {
      text = await readFile(this.#file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      return `${this.#file} cannot be read (${failureMessage(error)}); digests are computed anew`
    }
    const files = parseCache(text)
    if (!files) return `${this.#file} is damaged and was ignored; digests are computed anew`
    for (const [path, remembered] of files) this.#known.set(path, remembered)
    return undefined
  }

  get(stamp: Stamp, algorithm: DigestAlgorithm): string | undefined {
    const known = this.#known.get(stamp.file)
    return known && isOf(known, stamp) ? known.digests[algorithm] : undefined
  }

  set(stamp: Stamp, algorithm: DigestAlgorithm, hex: string): void {
    const known = this.#known.get(stamp.file)
    const digests =
      known && isOf(known, stamp) ? { ...known.digests, [algorithm]: hex } : { [algorithm]: hex }
    // Deleted first, so that it moves to the end: the map's order is the order of forgetting.
    this.#known.delete(stamp.file)
    const { size, mtimeMs, inode } = stamp
    this.#known.set(stamp.file, { size, mtimeMs, inode, digests })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= rememberedFiles) break
      this.#known.delete(oldest)
    }
    this.#dirty = true
  }

  /** Writes the file when there is something new: aside, synced, renamed. One write at a time. */
  save(): Promise<void> {
    const write = async (): Promise<void> => {
      if (!this.#dirty) return
      this.#dirty = false
      const text = JSON.stringify({ version: 1, files: Object.fromEntries(this.#known) })
      await mkdir(dirname(this.#file), { recursive: true })
      await writeAtomically(this.#file, text)
    }
    this.#saving = this.#saving.catch(() => undefined).then(write)
    return this.#saving
  }
}

function isOf(known: Remembered, stamp: Stamp): boolean {
  return known.size === stamp.size && known.mtimeMs === stamp.mtimeMs && known.inode === stamp.inode
}

function parseCache(text: string): [string, Remembered][] | undefined {
  try {
    const parsed = JSON.parse(text) as { version?: unknown; files?: unknown }
    if (parsed.version !== 1 || typeof parsed.files !== 'object' || parsed.files === null) return undefined
    const files = Object.entries(parsed.files)
    return files.every((entry): entry is [string, Remembered] => isRemembered(entry[1])) ? files : undefined
  } catch {
    return undefined
  }
}

function isRemembered(value: unknown): value is Remembered {
  const { size, mtimeMs, inode, digests } = (value ?? {}) as Record<string, unknown>
  return (
    [size, mtimeMs, inode].every((number) => typeof number === 'number') &&
    typeof digests === 'object' &&
    digests !== null &&
    Object.values(digests).every((hex) => typeof hex === 'string' && /^[0-9a-f]+$/.test(hex))
  )
}
