import { type Extract, extract, type Header } from 'tar-stream'
import { Failure } from '../../core/failure.ts'
import { imageLimits } from '../../core/limits/images.ts'
import { ByteReader } from './byte-reader.ts'

/** One entry of a tar archive. */
export interface TarEntry {
  /** As written in the archive; whether it leads out of the tree is not checked here. */
  readonly path: string
  /** `link` is a hard link. */
  readonly kind: 'file' | 'folder' | 'symlink' | 'link' | 'other'
  readonly size: number
  readonly modifiedMs: number
  /** Where a link leads; '' for other entries. */
  readonly target: string
  /** Read it to its end before asking for the next entry. A body that is not read is skipped. */
  body(): AsyncIterable<Uint8Array>
}

const blockBytes = 512
/** The fields of a header that are read here, each by its first byte and the byte after it (POSIX, ustar). */
const sizeField = [124, 136] as const
const checksumField = [148, 156] as const
const typeAt = 156
const { bytes: maxExtraBytes, entries: maxExtraHeaders } = imageLimits.tarHeaders
/** Types of extra headers: see `#extraBytes`. */
const extraTypes = 'xgLKN'

/** Whether these bytes begin a tar archive: the checksum of the first header is right. */
export function isTarHeader(header: Uint8Array): boolean {
  if (header.length < blockBytes) return false
  const [digits] = /[0-7]+/.exec(Buffer.from(header.subarray(...checksumField)).toString('latin1')) ?? []
  if (digits === undefined) return false
  // The sum of all bytes, those of the checksum itself counted as blanks (POSIX.1-2024, ustar).
  let sum = 8 * 0x20
  for (let at = 0; at < blockBytes; at++)
    if (at < checksumField[0] || at >= checksumField[1]) sum += header[at] ?? 0
  return Number.parseInt(digits, 8) === sum
}

/**
 * Reads a tar archive: v7, ustar, pax and GNU's long names and large sizes. The package tar-stream decodes
 * the headers; `TarFeeder` checks the archive first, and refuses what tar-stream would accept silently.
 *
 * @throws Failure `invalid-data` with the byte at which the archive is damaged or cut off; `unsupported` for
 *   a sparse file.
 */
export async function* readTar(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const unpacker = extract(extractOptions)
  const feeder = new TarFeeder(pieces, unpacker)
  const entries = unpacker[Symbol.asyncIterator]()
  const feeding = feeder.run()
  try {
    for (;;) {
      const next = await entries.next().catch((error: unknown) => {
        throw feeder.failureOf(error)
      })
      if (next.done) return
      const stream = next.value
      if (isSparse(stream.header))
        throw new Failure('unsupported', `sparse file ${stream.header.name}; pack it without --sparse`)
      yield { ...factsOf(stream.header), body: () => bytesOf(stream) }
      stream.resume()
    }
  } finally {
    unpacker.destroy()
    await feeding
  }
}

/**
 * `allowUnknownFormat`: v7 archives have no magic. With a `highWaterMark` of one byte, a write is
 * acknowledged only when tar-stream has taken its bytes.
 */
const extractOptions = { allowUnknownFormat: true, highWaterMark: 1 }

/** `linkname` is null when the header has no link target. */
function factsOf(header: Header): Omit<TarEntry, 'body'> {
  const { name, size, linkname } = header
  return { path: name, kind: kindOf(header), size, modifiedMs: modifiedMsOf(header), target: linkname ?? '' }
}

/** The time in the pax header, which has fractions of seconds, else that of the ustar header. */
function modifiedMsOf({ mtime, pax }: Header): number {
  const seconds = pax && typeof pax === 'object' && 'mtime' in pax ? Number(pax.mtime) : Number.NaN
  const ms = Number.isFinite(seconds) ? Math.floor(seconds * 1000) : mtime.getTime()
  return Number.isFinite(ms) ? ms : 0
}

/**
 * Whether an entry is a sparse file of GNU tar in the pax format: the body begins with a map of the holes
 * (GNU.sparse.major, .minor, .realsize).
 */
function isSparse({ pax }: Header): boolean {
  return !!pax && typeof pax === 'object' && Object.keys(pax).some((key) => key.startsWith('GNU.sparse.'))
}

async function* bytesOf(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const piece of stream) if (piece instanceof Uint8Array) yield piece
}

function kindOf({ type, name }: Header): TarEntry['kind'] {
  switch (type) {
    case 'file':
    case 'contiguous-file':
      // v7 has no type for folders: their names end with a slash.
      return name.endsWith('/') ? 'folder' : 'file'
    case 'directory':
      return 'folder'
    case 'symlink':
    case 'link':
      return type
    default:
      return 'other'
  }
}

/**
 * Hands an archive to tar-stream header by header and body by body, and waits until each is taken. So it
 * knows the byte at which each header begins, for messages, and checks the header first:
 *
 * - the first block of zeros ends the archive (POSIX), where tar-stream would read on;
 * - sparse files are refused, since the archive does not hold all of their bytes;
 * - names and pax headers beyond `maxExtraBytes` are refused.
 */
class TarFeeder {
  readonly #reader: ByteReader
  readonly #unpacker: Extract
  #headerAt = 0
  #extraHeaders = 0
  /** Size of the body after the present header, with its padding. */
  #bodyBytes = 0
  #failure: unknown
  #taken: () => void = () => undefined

  constructor(pieces: AsyncIterable<Uint8Array>, unpacker: Extract) {
    this.#reader = new ByteReader(pieces)
    this.#unpacker = unpacker
    unpacker.on('entry', ({ size, type }: Header) => {
      this.#extraHeaders = 0
      // The size of a folder is not the size of a body (POSIX: it may be a hint for allocation).
      this.#bodyBytes = type === 'directory' ? 0 : padded(size)
    })
    unpacker.on('drain', () => this.#taken())
    unpacker.on('close', () => this.#taken())
  }

  /** Feeds the whole archive. It never rejects; `failureOf` gives the reason of a failure. */
  async run(): Promise<void> {
    try {
      for await (const piece of this.#checked()) {
        if (this.#unpacker.destroyed) return
        const taken = new Promise<void>((resolve) => {
          this.#taken = resolve
        })
        this.#unpacker.write(piece)
        await taken
      }
      // The types of streamx demand an argument.
      this.#unpacker.end(undefined)
    } catch (error) {
      this.#failure = error
      this.#unpacker.destroy(error as Error)
    } finally {
      await this.#reader.close()
    }
  }

  /** The failure to report for an error of tar-stream, whose own errors do not name a byte. */
  failureOf(error: unknown): unknown {
    if (this.#failure !== undefined) return this.#failure
    const message = `the archive is damaged: no header at byte ${this.#headerAt}`
    return new Failure('invalid-data', message, { cause: error })
  }

  async *#checked(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const header = await this.#header()
      if (!header) return
      const type = String.fromCharCode(header[typeAt] ?? 0)
      // Every other header emits `entry` when it is taken, and that sets `#bodyBytes`.
      this.#bodyBytes = extraTypes.includes(type) ? this.#extraBytes(header) : 0
      yield header
      yield* this.#reader.body(this.#bodyBytes)
    }
  }

  /** The next header; undefined at the end of the archive, with or without its blocks of zeros. */
  async #header(): Promise<Buffer | undefined> {
    const at = this.#reader.position
    this.#headerAt = at
    const header = await this.#reader.take(blockBytes)
    if (header.length === 0 && at === 0) throw new Failure('invalid-data', 'the archive is empty')
    if (header.every((byte) => byte === 0)) return undefined
    if (header.length < blockBytes)
      throw new Failure('invalid-data', `the archive is cut off: it ends inside the header at byte ${at}`)
    if (header[typeAt] === 'S'.charCodeAt(0))
      throw new Failure('unsupported', `sparse file at byte ${at}; pack it without --sparse`)
    return header
  }

  /**
   * Size, with padding, of what follows an extra header: `x` and `g` are pax headers (POSIX), `L` and `K`
   * GNU's long name and long target of a link, `N` a long name of old GNU tar. The size is written in plain
   * octal.
   */
  #extraBytes(header: Buffer): number {
    if (++this.#extraHeaders > maxExtraHeaders)
      throw new Failure(
        'invalid-data',
        `more than ${maxExtraHeaders} headers of one entry at byte ${this.#headerAt}`,
      )
    const size = Number.parseInt(header.toString('latin1', ...sizeField).trim(), 8)
    if (size >= 0 && size <= maxExtraBytes) return padded(size)
    throw new Failure(
      'invalid-data',
      `a header of ${size} bytes at byte ${this.#headerAt}; expected at most ${maxExtraBytes}`,
    )
  }
}

function padded(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes
}
