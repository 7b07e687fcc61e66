import { LRUCache } from 'lru-cache'
import { Failure } from '../../../core/failure.ts'
import { bytesEntry } from '../../../files/memory.ts'
import type { CleanPath } from '../../../files/path.ts'
import { readWhole } from '../../../files/read-whole.ts'
import type { Entry, OpenFile } from '../../../files/source.ts'
import { toNetascii } from '../wire/netascii.ts'
import type { Mode } from '../wire/packet.ts'
import { FileBuffer } from './file-buffer.ts'
import { largeChunkBytes, RingReader, smallChunkBytes, WholeFileReader } from './file-readers.ts'

export interface MemoryLimits {
  /** The most octets of whole files in memory, in use or not. */
  readonly cacheBytes: number
  /** The largest file that is kept whole. It should be at most half of `cacheBytes`. */
  readonly fileBytes: number
}

/** When this many rings exist (64 MiB in all), new rings are small. */
const maxLargeRings = 32
/** A text is converted to netascii as a whole. No real text is larger than this. */
const maxNetasciiBytes = 64 * 1024 * 1024
/** What a kept file costs besides its octets, roughly. */
const overheadBytes = 512

/**
 * Gives each entry a FileBuffer, within a bound of memory. A rack that boots reads the same kernel and
 * initrd, so whole files are kept, and the least recently used go first. The first client is served while the
 * file is still being read. The key has the entry's validator, and the entry was just looked up: a changed
 * file has another key.
 */
export class FileCache {
  readonly #files: LRUCache<string, WholeFileReader>
  readonly #limits: MemoryLimits
  /** Octets of files that fell out of the cache while transfers were still using them. */
  #evictedBytes = 0
  #rings = 0

  constructor(limits: MemoryLimits) {
    this.#limits = limits
    this.#files = new LRUCache<string, WholeFileReader>({
      // lru-cache refuses 0.
      maxSize: Math.max(1, limits.cacheBytes),
      sizeCalculation: (file) => file.buffer.size + overheadBytes,
      dispose: (file) => this.#evicted(file),
    })
  }

  /**
   * The octets of `entry` as they will be sent in this mode.
   * @throws Failure `too-large` for a netascii transfer of a file that cannot be a text.
   */
  async get(path: CleanPath, entry: Entry, mode: Mode): Promise<FileBuffer> {
    if (mode === 'netascii') return this.#netasciiBuffer(path, entry)
    // Nothing with a claim is shared or kept: each transfer makes the claim for itself.
    if (entry.claim) return this.#ringBuffer({ ...entry, open: () => claimAndOpen(entry) })
    if (entry.content) return new FileBuffer(entry.content.length, entry.content)
    if (entry.size === 0) return new FileBuffer(0, new Uint8Array(0))
    const key = `${path}\0${entry.etag}\0${entry.size}`
    const kept = this.#files.get(key)
    if (kept) return kept.buffer
    const { cacheBytes, fileBytes } = this.#limits
    if (entry.size > fileBytes || entry.size + this.#evictedBytes > cacheBytes) return this.#ringBuffer(entry)
    const file: WholeFileReader = new WholeFileReader(entry, () => {
      if (this.#files.peek(key) === file) this.#files.delete(key)
    })
    this.#files.set(key, file)
    return file.buffer
  }

  async #netasciiBuffer(path: CleanPath, entry: Entry): Promise<FileBuffer> {
    if (entry.size > maxNetasciiBytes)
      throw new Failure(
        'too-large',
        `${path} has ${entry.size} octets, too many for netascii (at most ${maxNetasciiBytes}): use octet (binary) mode`,
      )
    const bytes = await readWhole(entry)
    if (bytes.length < entry.size) throw new Failure('invalid-data', `${entry.name} was cut while being read`)
    const text = toNetascii(bytes)
    const { claim } = entry
    if (!claim) return new FileBuffer(text.length, text)
    const converted = bytesEntry(entry.name, text, entry.modifiedMs)
    return this.#ringBuffer({ ...converted, open: () => claimAndOpen({ ...converted, claim }) })
  }

  #ringBuffer(entry: Entry): FileBuffer {
    const chunkBytes = this.#rings < maxLargeRings ? largeChunkBytes : smallChunkBytes
    const ring = new RingReader(entry, chunkBytes, (change) => {
      this.#rings += change
    })
    return ring.buffer
  }

  #evicted(file: WholeFileReader): void {
    if (!file.inUse) return
    this.#evictedBytes += file.buffer.size
    file.onIdle = () => {
      this.#evictedBytes -= file.buffer.size
    }
  }
}

/**
 * Claims an entry and opens it. A reader opens its entry when the first DATA is due. So a client that only
 * asks for the size, and replies to the OACK with an ERROR, claims nothing: for an answer file, no
 * installation begins.
 */
async function claimAndOpen(entry: Pick<Entry, 'open' | 'claim'>): Promise<OpenFile> {
  await entry.claim?.()
  return entry.open()
}
