import { defined } from '../../core/defined.ts'
import { imageLimits } from '../../core/limits/images.ts'
import { damaged, type Extent, type Image } from './image.ts'
import { digitsTime, recordTime } from './time.ts'

/** The fields of Rock Ridge (IEEE P1282, within SUSP P1281) of one directory record. */
export interface RockRidge {
  readonly name?: string
  /** File type and permissions, as in `stat`. */
  readonly mode?: number
  readonly modifiedMs?: number
  /** The target of a symlink, as written. */
  readonly target?: string
  /**
   * CL: the block of a folder that the writer moved away from here, because ISO 9660 allows only eight
   * levels.
   */
  readonly childBlock?: number
  /** RE: the record is such a moved folder. It is listed where it came from, and not here. */
  readonly isRelocated: boolean
  /** ZF: the bytes are compressed. This is the unpacked size. */
  readonly zisofsBytes?: number
}

/**
 * Decodes the SP field (SUSP 5.3): how many bytes to skip in each record. Undefined when the root has no SP
 * field. Then the disc has no Rock Ridge.
 */
export function readSp(rootSelf: Buffer): { readonly skip: number } | undefined {
  const isSp =
    rootSelf.length >= 7 &&
    rootSelf.toString('latin1', 0, 2) === 'SP' &&
    rootSelf[4] === 0xbe &&
    rootSelf[5] === 0xef
  return isSp ? { skip: rootSelf[6] ?? 0 } : undefined
}

/** What `readRockRidge` needs to know about the volume. */
export interface RockRidgeContext {
  readonly image: Image
  readonly blockBytes: number
  /** Reads a continuation area. */
  readonly readMore: (extent: Extent) => Promise<Buffer>
}

/**
 * Decodes the fields of one directory record, and follows CE fields into continuation areas.
 *
 * @param at The position of the fields in the image, for messages.
 */
export async function readRockRidge(
  context: RockRidgeContext,
  systemUse: Buffer,
  at: number,
): Promise<RockRidge> {
  const fields = new FieldCollector()
  let area: Area = { bytes: systemUse, at }
  const seen = new Set<number>()
  for (;;) {
    const next = readFields(context, area, fields)
    if (!next) return fields.result()
    if (seen.has(next.offset) || seen.size >= imageLimits.recordContinuations.entries)
      throw damaged(context.image, area.at, 'the continuation areas (CE) of a directory record do not end')
    seen.add(next.offset)
    area = { bytes: await context.readMore(next), at: next.offset }
  }
}

/** Bytes with fields, and their position in the image. */
interface Area {
  readonly bytes: Buffer
  readonly at: number
}

/** Collects the fields of one area, in order. Returns the area in which they continue, if they do. */
function readFields(
  { image, blockBytes }: RockRidgeContext,
  area: Area,
  fields: FieldCollector,
): Extent | undefined {
  const { bytes } = area
  let next: Extent | undefined
  // Fewer than four bytes are padding.
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes[at + 2] ?? 0
    // Some writers pad with zeroes in place of an ST field.
    if (length === 0 && bytes[at] === 0) break
    if (length < 4 || at + length > bytes.length)
      throw damaged(
        image,
        area.at + at,
        `expected a system use field of 4 to ${bytes.length - at} bytes, found ${length}`,
      )
    const field = bytes.subarray(at, at + length)
    const kind = field.toString('latin1', 0, 2)
    if (kind === 'ST') break
    if (kind === 'CE' && length >= 28)
      next = {
        offset: field.readUInt32LE(4) * blockBytes + field.readUInt32LE(12),
        length: field.readUInt32LE(20),
      }
    else fields.add(kind, field)
    at += length
  }
  return next
}

/** Joins content that is spread over several fields. A field that is too short for its content is ignored. */
class FieldCollector {
  #found: RockRidge = { isRelocated: false }
  readonly #name: Buffer[] = []
  readonly #link = new LinkCollector()

  add(kind: string, field: Buffer): void {
    switch (kind) {
      case 'NM':
        // NM flags 2 and 4 mean `.` and `..`, which the name of the directory record says too.
        if (field.length > 5 && ((field[4] ?? 0) & 6) === 0) this.#name.push(field.subarray(5))
        return
      case 'SL':
        if (field.length >= 5) this.#link.add(field.subarray(5))
        return
      default:
        this.#found = { ...this.#found, ...decodeField(kind, field) }
    }
  }

  result(): RockRidge {
    const name = this.#name.length > 0 ? decodeName(Buffer.concat(this.#name)) : undefined
    return { ...this.#found, ...defined({ name, target: this.#link.target() }) }
  }
}

/** Decodes a field that is complete in itself. */
function decodeField(kind: string, field: Buffer): Partial<RockRidge> {
  const { length } = field
  switch (kind) {
    case 'PX':
      return length >= 8 ? { mode: field.readUInt32LE(4) } : {}
    case 'TF':
      return modified(field)
    case 'CL':
      return length >= 8 ? { childBlock: field.readUInt32LE(4) } : {}
    case 'RE':
      return { isRelocated: true }
    case 'ZF':
      return length >= 16 && field.toString('latin1', 4, 6) === 'pz'
        ? { zisofsBytes: field.readUInt32LE(8) }
        : {}
    default:
      return {}
  }
}

/** Flags of a component of SL (P1282 4.1.3.1). */
const linkFlags = { continues: 0x01, here: 0x02, parent: 0x04, leadsOut: 0x38 }

/**
 * Joins the components of SL fields (P1282 4.1.3). Each component has a flag byte; any number of fields may
 * follow.
 */
class LinkCollector {
  readonly #parts: string[] = []
  #isLink = false
  #continues = false
  #leadsOut = false

  add(components: Buffer): void {
    this.#isLink = true
    for (let at = 0; at + 2 <= components.length; ) {
      const flags = components[at] ?? 0
      const end = at + 2 + (components[at + 1] ?? 0)
      this.#addPart(flags, decodeName(components.subarray(at + 2, end)))
      at = end
    }
  }

  #addPart(flags: number, text: string): void {
    if (flags & linkFlags.leadsOut) this.#leadsOut = true
    const before = this.#continues ? (this.#parts.pop() ?? '') : ''
    this.#parts.push(before + partText(flags, text))
    this.#continues = (flags & linkFlags.continues) !== 0
  }

  /**
   * The target of the symlink; undefined without SL fields. It begins with `/` when a component is the root,
   * the volume root or the host: places outside the image.
   */
  target(): string | undefined {
    if (!this.#isLink) return undefined
    const target = this.#parts.join('/')
    return this.#leadsOut && !target.startsWith('/') ? `/${target}` : target
  }
}

function partText(flags: number, text: string): string {
  if (flags & linkFlags.here) return '.'
  return flags & linkFlags.parent ? '..' : text
}

/**
 * Decodes TF (P1282 4.1.6): the times that the flags name, in order. Modification is the second, after
 * creation. With bit 7 each time has 17 bytes instead of 7. A time that is not set leaves that of the record.
 */
function modified(field: Buffer): { modifiedMs?: number } {
  const flags = field[4] ?? 0
  if ((flags & 2) === 0) return {}
  const isLong = (flags & 0x80) !== 0
  const bytes = isLong ? 17 : 7
  const at = 5 + (flags & 1) * bytes
  if (field.length < at + bytes) return {}
  const modifiedMs = isLong ? digitsTime(field, at) : recordTime(field, at)
  return modifiedMs === 0 ? {} : { modifiedMs }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Decodes a name. Names on a disc are bytes, nearly always UTF-8. Other names are read as Latin-1, which
 * keeps them distinct and reachable.
 */
export function decodeName(bytes: Buffer): string {
  try {
    return utf8.decode(bytes)
  } catch {
    return bytes.toString('latin1')
  }
}
