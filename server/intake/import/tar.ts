import { Failure } from '../../core/failure.ts'
import { ByteReader } from './byte-reader.ts'

/** One entry of a tar archive. The body of a file must be read, or is skipped, before the next is asked for. */
export interface TarEntry {
  /** As written; nobody has looked yet where it leads. */
  readonly path: string
  readonly kind: 'file' | 'folder' | 'symlink' | 'link' | 'other'
  readonly size: number
  readonly modifiedMs: number
  /** Of links. */
  readonly target: string
  body(): AsyncGenerator<Uint8Array>
}

const block = 512
/** Long names and pax headers; PATH_MAX is 4096 bytes. */
const maxExtraBytes = 1 << 20

/** Whether these bytes begin a tar archive: the checksum of the first header is right. */
export function isTarHeader(header: Uint8Array): boolean {
  return header.length >= block && checksumFits(Buffer.from(header.buffer, header.byteOffset, block))
}

/**
 * Reads a tar archive: ustar, pax (`path`, `linkpath`, `size`, `mtime`) and GNU's long names and large sizes. Sparse
 * files are refused, for their bytes are not where a reader would think.
 *
 * @throws Failure `invalid-data` naming the byte where it stops making sense.
 */
export async function* readTar(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const reader = new ByteReader(pieces)
  let extra: Extra = {}
  try {
    for (;;) {
      const at = reader.position
      const header = await reader.take(block)
      if (header.length === 0) {
        if (at === 0) throw new Failure('invalid-data', 'the archive is empty')
        return
      }
      if (header.every((byte) => byte === 0)) return
      if (header.length < block || !checksumFits(header))
        throw new Failure('invalid-data', `the archive is damaged or cut off: no header at byte ${at}`)
      const type = String.fromCharCode(header[156] ?? 0)
      const size = extra.size ?? number(header, 124, 12, at)
      if (type === 'S')
        throw new Failure('unsupported', `sparse file at byte ${at}; pack it without --sparse`)
      if ('xgLK'.includes(type)) {
        extra = { ...extra, ...(await readExtra(reader, type, size, at)) }
        continue
      }
      const end = reader.position + padded(size)
      yield entryOf(header, type, size, extra, reader, at)
      await reader.skip(end - reader.position)
      extra = {}
    }
  } finally {
    await reader.close()
  }
}

interface Extra {
  readonly path?: string
  readonly target?: string
  readonly size?: number
  readonly modifiedMs?: number
}

function entryOf(
  header: Buffer,
  type: string,
  size: number,
  extra: Extra,
  reader: ByteReader,
  at: number,
): TarEntry {
  const prefix =
    header.toString('latin1', 257, 262) === 'ustar' && header[263] !== 0x20 ? text(header, 345, 155) : ''
  const name = text(header, 0, 100)
  const path = extra.path ?? (prefix === '' ? name : `${prefix}/${name}`)
  return {
    path,
    kind: kindOf(type, path),
    size,
    modifiedMs: extra.modifiedMs ?? number(header, 136, 12, at) * 1000,
    target: extra.target ?? text(header, 157, 100),
    body: () => reader.body(size),
  }
}

function kindOf(type: string, path: string): TarEntry['kind'] {
  switch (type) {
    case '0':
    case '\0':
    case '7':
      return path.endsWith('/') ? 'folder' : 'file'
    case '1':
      return 'link'
    case '2':
      return 'symlink'
    case '5':
      return 'folder'
    default:
      return 'other'
  }
}

/** `x`: pax for the next entry. `g`: for all; nobody puts a path there, so it is passed over. `L`, `K`: GNU's long name and link. */
async function readExtra(reader: ByteReader, type: string, size: number, at: number): Promise<Extra> {
  if (size > maxExtraBytes)
    throw new Failure(
      'invalid-data',
      `a header of ${size} bytes at byte ${at}; at most ${maxExtraBytes} are believed`,
    )
  const bytes = await reader.take(padded(size))
  if (bytes.length < size) throw new Failure('invalid-data', `cut off in a header at byte ${at}`)
  const data = bytes.subarray(0, size)
  if (type === 'g') return {}
  if (type === 'x') return paxOf(data)
  const value = data.toString('utf8').replace(/\0.*$/s, '')
  return type === 'L' ? { path: value } : { target: value }
}

/** `30 mtime=1350244992.023960108\n`, the length counting itself (POSIX pax). */
function paxOf(data: Buffer): Extra {
  const records = new Map<string, string>()
  for (let at = 0; at < data.length; ) {
    const length = Number.parseInt(data.toString('latin1', at, at + 12), 10)
    if (!(length > 4) || at + length > data.length) break
    const record = data.toString('utf8', at, at + length - 1)
    const [, key = '', value = ''] = /^\d+ ([^=]+)=(.*)$/s.exec(record) ?? []
    records.set(key, value)
    at += length
  }
  const path = records.get('path')
  const target = records.get('linkpath')
  const size = Number(records.get('size') ?? Number.NaN)
  const mtime = Number(records.get('mtime') ?? Number.NaN)
  return {
    ...(path !== undefined && { path }),
    ...(target !== undefined && { target }),
    ...(Number.isSafeInteger(size) && size >= 0 && { size }),
    ...(Number.isFinite(mtime) && { modifiedMs: Math.floor(mtime * 1000) }),
  }
}

function text(header: Buffer, at: number, length: number): string {
  return header.toString('utf8', at, at + length).replace(/\0.*$/s, '')
}

/** Octal, or GNU's base 256 with the first bit set. */
function number(header: Buffer, at: number, length: number, where: number): number {
  if ((header[at] ?? 0) & 0x80) {
    let value = (header[at] ?? 0) & 0x7f
    for (let i = 1; i < length; i++) value = value * 256 + (header[at + i] ?? 0)
    if (Number.isSafeInteger(value)) return value
  } else {
    const digits = text(header, at, length).trim()
    if (/^[0-7]*$/.test(digits)) return digits === '' ? 0 : Number.parseInt(digits, 8)
  }
  throw new Failure('invalid-data', `no number where one is expected in the header at byte ${where}`)
}

/** The sum of all bytes, the checksum's own counted as blanks; some old tars counted them as signed. */
function checksumFits(header: Buffer): boolean {
  const [digits = ''] = /[0-7]+/.exec(header.toString('latin1', 148, 156)) ?? []
  if (digits === '') return false
  let sum = 8 * 0x20
  let signed = sum
  for (let i = 0; i < block; i++) {
    if (i >= 148 && i < 156) continue
    const byte = header[i] ?? 0
    sum += byte
    signed += byte > 127 ? byte - 256 : byte
  }
  const expected = Number.parseInt(digits, 8)
  return expected === sum || expected === signed
}

function padded(size: number): number {
  return Math.ceil(size / block) * block
}
