import type { Failure } from '../../core/failure.ts'
import { imageLimits } from '../../core/limits/images.ts'
import type { VolumeIds } from '../../core/tree/volume-ids.ts'
import { recordField, recordFlags, smallestRecord } from './directory.ts'
import { damaged, type Extent, type Image, readExactly, sectorBytes } from './image.ts'
import { digitsTime } from './time.ts'

/** A volume descriptor of ISO 9660 (ECMA-119 8.4 and 8.5): one view of the files of a disc. */
export interface Volume {
  /** Bytes of a logical block, the unit of all positions: 2048, on a few old discs 512 or 1024. */
  readonly blockBytes: number
  /** The root directory. */
  readonly root: Extent
  /** The size that the image states. Appended data (a GPT, checksums) may follow. */
  readonly bytes: number
  readonly modifiedMs: number
  /** What the descriptor says of the disc. */
  readonly ids: VolumeIds
}

/** The volume descriptors at the head of an image. */
export interface Volumes {
  readonly primary?: Volume
  /** A supplementary descriptor whose names are UCS-2: Microsoft's Joliet. */
  readonly joliet?: Volume
  /** The descriptor of UDF in the volume recognition sequence: NSR02 for UDF 1, NSR03 for UDF 2. */
  readonly udf?: 'NSR02' | 'NSR03'
}

const firstDescriptor = 16

/** Positions of fields in a descriptor (ECMA-119 8.4 and 8.5). The root is a directory record. */
const volumeField = {
  flags: 7,
  volumeBlocks: 80,
  escapeSequences: 88,
  blockBytes: 128,
  root: 156,
  modified: 830,
} as const

/** The identifiers in a descriptor: position and bytes (ECMA-119 8.4). They are padded with blanks. */
const idFields = {
  system: [8, 32],
  volume: [40, 32],
  publisher: [318, 128],
  application: [574, 128],
} as const

/**
 * The position of the identifier of the first descriptor: `CD001` for ISO 9660, `BEA01` for a disc with UDF
 * alone.
 */
export const signatureAt = firstDescriptor * sectorBytes + 1

export function isSignature(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString('latin1')
  return text === 'CD001' || text === 'BEA01'
}

/**
 * Reads the volume descriptors, and finds out whether the disc has UDF, beside ISO 9660 or alone.
 *
 * @throws Failure `invalid-data` when the file is not an image of a disc.
 */
export async function readVolumes(image: Image): Promise<Volumes> {
  const { found, seenExtended } = await readDescriptors(image)
  if (found.primary || found.joliet || found.udf) return found
  if (seenExtended)
    throw damaged(
      image,
      signatureAt,
      'expected the descriptor "NSR02" or "NSR03" of UDF after "BEA01", found neither',
    )
  throw await withoutSignature(image)
}

/** Reads descriptors up to the first sector without one. */
async function readDescriptors(image: Image): Promise<{ found: Volumes; seenExtended: boolean }> {
  let found: Volumes = {}
  let extended = false
  let seenExtended = false
  for (
    let sector = firstDescriptor;
    sector < firstDescriptor + imageLimits.volumeDescriptors.entries;
    sector++
  ) {
    const offset = sector * sectorBytes
    if (offset + sectorBytes > image.size) break
    const bytes = await readExactly(image, { offset, length: sectorBytes }, 'a volume descriptor')
    const identifier = bytes.toString('latin1', 1, 6)
    if (identifier === 'BEA01') extended = seenExtended = true
    else if (identifier === 'TEA01') extended = false
    else if (identifier === 'NSR02' || identifier === 'NSR03') found = { ...found, udf: identifier }
    else if (identifier === 'CD001') found = withDescriptor(found, image, bytes, offset)
    // ECMA-167 2/8.4: each sector has one descriptor. On disks with sectors of 4096 bytes, every second of
    // ours is empty.
    else if (!extended && !otherDescriptors.includes(identifier)) break
  }
  return { found, seenExtended }
}

/** Descriptors that may occur among those of ISO 9660 and UDF (ECMA-167 2/9.4, ECMA-168). */
const otherDescriptors = ['BOOT2', 'CDW02']

async function withoutSignature(image: Image): Promise<Failure> {
  const head =
    image.size < signatureAt + 5 ? undefined : await image.readAt(signatureAt, 5).catch(() => undefined)
  const seen =
    head === undefined
      ? `the file has only ${image.size} bytes`
      : `found ${JSON.stringify(head.toString('latin1'))}`
  if (head && isSignature(head))
    return damaged(
      image,
      firstDescriptor * sectorBytes,
      `expected the primary volume descriptor of ISO 9660 among the first ${imageLimits.volumeDescriptors.entries} descriptors, found none`,
    )
  return damaged(
    image,
    signatureAt,
    `expected "CD001" or "BEA01", the mark of an image with ISO 9660 or UDF; ${seen}`,
  )
}

function withDescriptor(found: Volumes, image: Image, bytes: Buffer, offset: number): Volumes {
  const type = bytes[0]
  // ECMA-119 8.1.1: 0 boot record, 1 primary, 2 supplementary, 255 the end. Rewritten discs may hold several
  // of a type; the first one counts.
  if (type === 1 && !found.primary) return { ...found, primary: readVolume(image, bytes, offset) }
  if (type === 2 && !found.joliet && isJoliet(bytes))
    return { ...found, joliet: readVolume(image, bytes, offset) }
  return found
}

/**
 * Joliet 1.0: the escape sequence of UCS-2 level 1, 2 or 3. Flag bit 0 means a sequence that ISO has not
 * registered.
 */
function isJoliet(bytes: Buffer): boolean {
  const { escapeSequences, flags } = volumeField
  const sequence = bytes.toString('latin1', escapeSequences, escapeSequences + 3)
  return (bytes[flags] ?? 0) % 2 === 0 && ['%/@', '%/C', '%/E'].includes(sequence)
}

function readVolume(image: Image, bytes: Buffer, offset: number): Volume {
  const blockBytes = bytes.readUInt16LE(volumeField.blockBytes)
  if (![512, 1024, 2048].includes(blockBytes))
    throw damaged(
      image,
      offset + volumeField.blockBytes,
      `expected a block size of 512, 1024 or 2048, found ${blockBytes}`,
    )
  const root = bytes.subarray(volumeField.root, volumeField.root + smallestRecord)
  if ((root[0] ?? 0) < smallestRecord || ((root[recordField.flags] ?? 0) & recordFlags.folder) === 0)
    throw damaged(image, offset + volumeField.root, 'expected the record of the root directory')
  const rootBlock = root.readUInt32LE(recordField.block) + (root[recordField.attributeBlocks] ?? 0)
  return {
    blockBytes,
    root: { offset: rootBlock * blockBytes, length: root.readUInt32LE(recordField.dataBytes) },
    bytes: bytes.readUInt32LE(volumeField.volumeBlocks) * blockBytes,
    modifiedMs: digitsTime(bytes, volumeField.modified),
    ids: {
      system: readId(bytes, 'system'),
      volume: readId(bytes, 'volume'),
      publisher: readId(bytes, 'publisher'),
      application: readId(bytes, 'application'),
    },
  }
}

/**
 * Reads one identifier. The standard allows few characters, and real discs have any: mkisofs writes what it is
 * given, in the encoding of its terminal. NUL bytes pad the identifiers of some discs.
 */
function readId(bytes: Buffer, field: keyof typeof idFields): string {
  const [at, length] = idFields[field]
  const text = bytes
    .toString('utf8', at, at + length)
    .replace(/\0.*$/s, '')
    .replace(/[\p{Cc}\uFFFD]/gu, '?')
    .trim()
  // ECMA-119 8.4.20 and 8.4.22: an identifier that begins with `_` names a file of the disc instead.
  return (field === 'publisher' || field === 'application') && text.startsWith('_') ? '' : text
}
