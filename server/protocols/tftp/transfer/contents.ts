import { LRUCache } from 'lru-cache'
import { Failure } from '../../../core/failure.ts'
import { bytesEntry } from '../../../files/memory.ts'
import type { CleanPath } from '../../../files/path.ts'
import { readWhole } from '../../../files/read-whole.ts'
import type { Entry, OpenFile } from '../../../files/source.ts'
import { toNetascii } from '../wire/netascii.ts'
import type { Mode } from '../wire/packet.ts'
import { Content, type Producer } from './content.ts'

export interface MemoryLimits {
  /** Octets of whole files kept, in use or not. */
  readonly cacheBytes: number
  /** The largest file kept whole; half of `cacheBytes` at most makes sense. */
  readonly fileBytes: number
}

/** Octets read at once. Reading each block by itself costs a trip to the thread pool per packet. */
const chunkBytes = 1024 * 1024
/** For the rings of many large transfers at once. It must hold the largest window, and does (see negotiate.ts). */
const smallChunkBytes = 256 * 1024
const largeRings = 32
/** Above this a text would have to be converted in pieces; nobody means it. */
const netasciiBytes = 64 * 1024 * 1024

/**
 * Turns entries into octets to send, within a bound of memory. A rack that boots reads the same kernel and initrd, so
 * whole files are kept, least recently used out first, and the first client is served while the file is still being
 * read. The key holds the entry's validator, and the entry has just been looked up: a changed file is another file.
 */
export class Contents {
  readonly #cache: LRUCache<string, WholeFile>
  readonly #limits: MemoryLimits
  /** Octets of files that fell out of the cache while transfers were still using them. */
  #evictedBytes = 0
  #rings = 0

  constructor(limits: MemoryLimits) {
    this.#limits = limits
    this.#cache = new LRUCache<string, WholeFile>({
      maxSize: Math.max(1, limits.cacheBytes),
      sizeCalculation: (file) => file.content.size + 512,
      dispose: (file) => this.#evicted(file),
    })
  }

  /** What is kept in memory, in octets. */
  get heldBytes(): number {
    return (this.#cache.calculatedSize ?? 0) + this.#evictedBytes
  }

  /**
   * The octets of `entry` as they will be sent.
   * @throws Failure `too-large` for a netascii transfer of something that is no text.
   */
  async get(path: CleanPath, entry: Entry, mode: Mode): Promise<Content> {
    if (mode === 'netascii') return this.#netascii(path, entry)
    if (entry.claim) return this.#ring({ ...entry, open: () => claimed(entry) })
    if (entry.content) return new Content(entry.content.length, entry.content)
    if (entry.size === 0) return new Content(0, new Uint8Array(1))
    const key = `${path}\0${entry.etag}\0${entry.size}`
    const kept = this.#cache.get(key)
    if (kept) return kept.content
    const { cacheBytes, fileBytes } = this.#limits
    if (entry.size > fileBytes || entry.size + this.#evictedBytes > cacheBytes) return this.#ring(entry)
    const file: WholeFile = new WholeFile(entry, () => {
      if (this.#cache.peek(key) === file) this.#cache.delete(key)
    })
    this.#cache.set(key, file)
    return file.content
  }

  async #netascii(path: CleanPath, entry: Entry): Promise<Content> {
    if (entry.size > netasciiBytes)
      throw new Failure(
        'too-large',
        `${path} has ${entry.size} octets, too large for netascii: use binary (octet) mode`,
      )
    const text = toNetascii(await wholeOf(entry))
    const { claim } = entry
    if (!claim) return new Content(text.length, text)
    const lines = bytesEntry(entry.name, text, entry.modifiedMs)
    return this.#ring({ ...lines, open: () => claimed({ ...lines, claim }) })
  }

  #ring(entry: Entry): Content {
    const chunk = this.#rings < largeRings ? chunkBytes : smallChunkBytes
    return new Ring(entry, chunk, (change) => {
      this.#rings += change
    }).content
  }

  #evicted(file: WholeFile): void {
    if (!file.inUse) return
    this.#evictedBytes += file.content.size
    file.onIdle = () => {
      this.#evictedBytes -= file.content.size
    }
  }
}

/** Reads an entry from the front while anyone wants it, and no further than it is wanted before it is asked for. */
abstract class Reader implements Producer {
  readonly entry: Entry
  protected users = 0
  #file: OpenFile | undefined
  #reading = false

  constructor(entry: Entry) {
    this.entry = entry
  }

  retain(): void {
    this.users++
  }

  leave(): void {
    this.users--
    if (this.users > 0) return
    this.idle()
    if (!this.#reading) void this.#close()
  }

  abstract release(position: number, content: Content): void
  /** Octets to read next at `content.filled`; 0 when there is no room or nothing left. */
  protected abstract next(content: Content): number
  protected abstract idle(): void
  protected abstract broken(): void

  pull(content: Content): void {
    if (this.#reading || this.next(content) === 0) return
    this.#reading = true
    void this.#run(content).then(
      () => {
        this.#reading = false
        // A release may have come between the last look and now.
        if (this.users > 0) this.pull(content)
      },
      (error: unknown) => {
        this.#reading = false
        void this.#close()
        this.broken()
        content.fail(error)
      },
    )
  }

  async #run(content: Content): Promise<void> {
    this.#file ??= await this.entry.open()
    for (;;) {
      const length = this.users > 0 ? this.next(content) : 0
      if (length === 0) break
      const at = content.filled % content.buffer.length
      const read = await this.#file.read(content.buffer, at, length, content.filled)
      if (read === 0)
        throw new Failure(
          'invalid-data',
          `${this.entry.name} ends after ${content.filled} of ${content.size} octets: it was cut while being read`,
        )
      content.advance(content.filled + read)
    }
    if (this.users === 0 || content.filled === content.size) await this.#close()
  }

  async #close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close().catch(() => undefined)
  }
}

class WholeFile extends Reader {
  readonly content: Content
  onIdle: (() => void) | undefined
  readonly #forget: () => void

  constructor(entry: Entry, forget: () => void) {
    super(entry)
    this.#forget = forget
    this.content = new Content(entry.size, allocate(entry.size), this)
  }

  get inUse(): boolean {
    return this.users > 0
  }

  release(): void {}

  protected next(content: Content): number {
    return Math.min(chunkBytes, content.size - content.filled)
  }

  /** Half a file that nobody waits for is not worth its memory: a size probe must not make us read an image. */
  protected idle(): void {
    if (this.content.filled < this.content.size) this.#forget()
    this.onIdle?.()
    this.onIdle = undefined
  }

  protected broken(): void {
    this.#forget()
  }
}

/** Two halves: one is sent from, the other is read into. */
class Ring extends Reader {
  readonly content: Content
  readonly #chunk: number
  readonly #count: (change: 1 | -1) => void
  #released = 0

  constructor(entry: Entry, chunk: number, count: (change: 1 | -1) => void) {
    super(entry)
    this.#chunk = chunk
    this.#count = count
    this.content = new Content(entry.size, allocate(2 * chunk), this)
  }

  override retain(): void {
    super.retain()
    this.#count(1)
  }

  release(position: number, content: Content): void {
    if (position <= this.#released) return
    this.#released = position
    this.pull(content)
  }

  protected next(content: Content): number {
    const { filled, size, buffer } = content
    const half = this.#chunk - (filled % this.#chunk)
    const room = this.#released + buffer.length - filled
    return room < half ? 0 : Math.min(half, size - filled)
  }

  protected idle(): void {
    this.#count(-1)
  }

  protected broken(): void {}
}

/**
 * Opens an entry whose bytes begin something. A transfer reads when its first DATA is due, so a client that only asked
 * for the size, and answers the OACK with an ERROR, begins nothing.
 */
async function claimed(entry: Pick<Entry, 'open' | 'claim'>): Promise<OpenFile> {
  await entry.claim?.()
  return entry.open()
}

/** Filled while another thread sends from it. */
function allocate(size: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(size))
}

async function wholeOf(entry: Entry): Promise<Uint8Array> {
  const bytes = await readWhole(entry)
  if (bytes.length < entry.size) throw new Failure('invalid-data', `${entry.name} was cut while being read`)
  return bytes
}
