import { recordTime } from './directory.ts'
import { damaged, type Extent, type Image } from './image.ts'

/** What Rock Ridge (IEEE P1282, over SUSP P1281) says of one directory record. */
export interface RockRidge {
  readonly name?: string
  /** File type and permissions as `stat` has them. */
  readonly mode?: number
  readonly modifiedMs?: number
  /** Where a symlink points, as written. */
  readonly target?: string
  /** CL: the block of the folder that was moved away from here, since ISO 9660 allows but eight levels. */
  readonly childBlock?: number
  /** RE: such a folder, shown where it came from and not here. */
  readonly isRelocated: boolean
  /** ZF: the bytes are compressed; how many they would be. */
  readonly zisofsBytes?: number
}

/** Continuation areas of one record. A name has 255 bytes and a symlink 4096, which fit in three. */
const mostContinuations = 32

/** SUSP 5.3: bytes to skip in every record after the first; undefined when the root has no SP field, so no Rock Ridge. */
export function susp(rootSelf: Buffer): { readonly skip: number } | undefined {
  const isSp =
    rootSelf.length >= 7 &&
    rootSelf.toString('latin1', 0, 2) === 'SP' &&
    rootSelf[4] === 0xbe &&
    rootSelf[5] === 0xef
  return isSp ? { skip: rootSelf[6] ?? 0 } : undefined
}

/**
 * Reads the fields of one record, following CE into continuation areas.
 *
 * @param at Where the fields stand in the image, for messages.
 * @param readMore Bytes elsewhere in the image, from block, offset and length of CE.
 */
export async function readRockRidge(
  image: Image,
  systemUse: Buffer,
  at: number,
  blockBytes: number,
  readMore: (extent: Extent) => Promise<Buffer>,
): Promise<RockRidge> {
  const collector = createCollector()
  let area = systemUse
  let areaAt = at
  const seen = new Set<number>()
  for (;;) {
    const next = readFields(image, area, areaAt, blockBytes, collector)
    if (!next) return collector.result()
    if (seen.has(next.offset) || seen.size >= mostContinuations)
      throw damaged(image, areaAt, 'the continuation areas (CE) of a directory record do not end')
    seen.add(next.offset)
    area = await readMore(next)
    areaAt = next.offset
  }
}

/** The fields of one area, in order; where they go on, if they do. */
function readFields(
  image: Image,
  area: Buffer,
  areaAt: number,
  blockBytes: number,
  collector: ReturnType<typeof createCollector>,
): Extent | undefined {
  let next: Extent | undefined
  // Less than four bytes left is padding.
  for (let at = 0; at + 4 <= area.length; ) {
    const length = area[at + 2] ?? 0
    // Some writers pad with zeroes in place of an ST field.
    if (length === 0 && area[at] === 0) break
    if (length < 4 || at + length > area.length)
      throw damaged(
        image,
        areaAt + at,
        `expected a system use field of 4 to ${area.length - at} bytes, found ${length}`,
      )
    const field = area.subarray(at, at + length)
    const kind = field.toString('latin1', 0, 2)
    if (kind === 'ST') break
    if (kind === 'CE' && length >= 28)
      next = {
        offset: field.readUInt32LE(4) * blockBytes + field.readUInt32LE(12),
        length: field.readUInt32LE(20),
      }
    else collector.take(kind, field)
    at += length
  }
  return next
}

/** Puts together what may be spread over several fields. Fields too short for what they should hold are passed over. */
function createCollector() {
  let found: RockRidge = { isRelocated: false }
  const name: Buffer[] = []
  const link = createLink()

  return {
    take(kind: string, field: Buffer): void {
      const { length } = field
      if (kind === 'PX' && length >= 8) found = { ...found, mode: field.readUInt32LE(4) }
      // NM flags 2 and 4 stand for `.` and `..`, which the record says by itself.
      else if (kind === 'NM' && length > 5 && ((field[4] ?? 0) & 6) === 0) name.push(field.subarray(5))
      else if (kind === 'SL' && length >= 5) link.take(field.subarray(5))
      else if (kind === 'TF' && length >= 5) found = { ...found, ...modified(field) }
      else if (kind === 'CL' && length >= 8) found = { ...found, childBlock: field.readUInt32LE(4) }
      else if (kind === 'RE') found = { ...found, isRelocated: true }
      else if (kind === 'ZF' && length >= 16 && field.toString('latin1', 4, 6) === 'pz')
        found = { ...found, zisofsBytes: field.readUInt32LE(8) }
    },
    result(): RockRidge {
      const target = link.target()
      return {
        ...found,
        ...(name.length > 0 && { name: decodeName(Buffer.concat(name)) }),
        ...(target !== undefined && { target }),
      }
    },
  }
}

/** SL, P1282 4.1.3: components with a flag byte each, over any number of fields. */
function createLink() {
  const parts: string[] = []
  let isLink = false
  let goesOn = false
  let leadsOut = false
  return {
    take(components: Buffer): void {
      isLink = true
      for (let at = 0; at + 2 <= components.length; ) {
        const flags = components[at] ?? 0
        const length = components[at + 1] ?? 0
        const text = decodeName(components.subarray(at + 2, at + 2 + length))
        if (flags & 0x38) leadsOut = true
        const part = flags & 2 ? '.' : flags & 4 ? '..' : text
        if (goesOn) parts.push((parts.pop() ?? '') + part)
        else parts.push(part)
        goesOn = (flags & 1) !== 0
        at += 2 + length
      }
    },
    /** Root, volume root and host are places outside of the image: `/` in front of the rest says so. */
    target: (): string | undefined => (isLink ? `${leadsOut ? '/' : ''}${parts.join('/')}` : undefined),
  }
}

/** TF, P1282 4.1.6: the times that the flags name, in order; modification is the second. Bit 7 makes them 17 bytes long. */
function modified(field: Buffer): { modifiedMs?: number } {
  const flags = field[4] ?? 0
  if ((flags & 2) === 0) return {}
  const at = 5 + (flags & 1 ? (flags & 0x80 ? 17 : 7) : 0)
  if (flags & 0x80) {
    const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(field.toString('latin1', at, at + 16))
    if (!match || field.length < at + 17) return {}
    const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number)
    return {
      modifiedMs: Date.UTC(year, month - 1, day, hour, minute, second) - field.readInt8(at + 16) * 900_000,
    }
  }
  return field.length < at + 7 ? {} : { modifiedMs: recordTime(field, at) }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Names are bytes on a disc, nearly always UTF-8; where not, Latin-1 keeps them apart and reachable. */
export function decodeName(bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    return bytes.toString('latin1')
  }
}
