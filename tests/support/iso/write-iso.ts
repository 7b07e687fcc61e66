/**
 * Writes small ISO 9660 images, whole in memory, so that tests can make any disc they need and damage it
 * where they like. A directory has one or more whole sectors.
 */
import type { VolumeIds } from '../../../server/core/tree/volume-ids.ts'

const sector = 2048

/** A file of an image to be written. */
export interface IsoFile {
  readonly bytes?: Uint8Array | string
  /** A symlink, with Rock Ridge only. */
  readonly target?: string
  /** Where the records say that the bytes lie: block and length of each piece. Nothing is written there. */
  readonly pieces?: readonly { readonly block: number; readonly length: number }[]
  /** System use fields added as they are. */
  readonly fields?: readonly Buffer[]
}

/** An image to be written. */
export interface IsoShape {
  readonly files: Readonly<Record<string, IsoFile | Uint8Array | string>>
  /** Default: true. */
  readonly rockRidge?: boolean
  readonly joliet?: boolean
  /** Paths of relocated folders: the record in the parent only points to the folder, by CL. */
  readonly relocated?: readonly string[]
  /** Put all Rock Ridge fields into continuation areas; a record has at most 255 bytes. */
  readonly continuation?: boolean
  /**
   * The first block of files and directories; default 20. The blocks between it and the descriptors, which begin
   * at block 16, are free.
   */
  readonly firstBlock?: number
  /** Of the primary volume descriptor. The volume identifier is `TEST` unless given. */
  readonly ids?: Partial<VolumeIds>
}

interface Folder {
  readonly path: string
  readonly children: string[]
  block: number
  length: number
}

interface Disc {
  readonly shape: IsoShape
  readonly files: ReadonlyMap<string, IsoFile>
  readonly folders: ReadonlyMap<string, Folder>
  readonly places: Map<string, { block: number; length: number }>
  /** The block of the continuation areas, and their bytes so far. */
  readonly more: { block: number; bytes: Buffer[]; used: number }
}

/** A written image. Places are blocks of 2048 bytes from its beginning, and lengths in bytes. */
export interface WrittenIso {
  readonly bytes: Buffer
  /** The place of each folder's directory in the primary volume. */
  readonly folders: ReadonlyMap<string, { readonly block: number; readonly length: number }>
  /** The place of each file's bytes. */
  readonly files: ReadonlyMap<string, { readonly block: number; readonly length: number }>
}

/** An image with these files; paths without a leading slash. */
export function writeIso(shape: IsoShape): WrittenIso {
  const files = new Map(
    Object.entries(shape.files).map(([path, file]) => [
      path,
      typeof file === 'string' || file instanceof Uint8Array ? { bytes: file } : file,
    ]),
  )
  const disc: Disc = {
    shape,
    files,
    folders: foldersOf(files.keys()),
    places: new Map(),
    more: { block: 0, bytes: [], used: 0 },
  }
  const firstBlock = shape.firstBlock ?? 20
  const blocks: Buffer[] = []
  const nextBlock = () => firstBlock + blocks.reduce((sum, each) => sum + each.length / sector, 0)
  const put = (bytes: Buffer): number => {
    const block = nextBlock()
    blocks.push(Buffer.concat([bytes, Buffer.alloc((sector - (bytes.length % sector)) % sector)]))
    return block
  }
  for (const [path, file] of files) {
    const bytes = Buffer.from(file.bytes ?? '')
    disc.places.set(path, { block: bytes.length > 0 ? put(bytes) : 0, length: bytes.length })
  }
  const primary = writeDirectories(disc, nextBlock(), 'primary', put)
  const joliet = shape.joliet
    ? writeDirectories({ ...disc, folders: foldersOf(files.keys()) }, nextBlock(), 'joliet', put)
    : undefined
  const size = nextBlock()
  const head = Buffer.alloc(firstBlock * sector)
  withIds(descriptor(1, primary.root, size), shape.ids).copy(head, 16 * sector)
  if (joliet) descriptor(2, joliet.root, size).copy(head, 17 * sector)
  const end = head.subarray((joliet ? 18 : 17) * sector)
  end[0] = 255
  end.write('CD001', 1, 'latin1')
  return {
    bytes: Buffer.concat([head, ...blocks]),
    folders: new Map([...disc.folders].map(([path, { block, length }]) => [path, { block, length }])),
    files: disc.places,
  }
}

function foldersOf(paths: Iterable<string>): Map<string, Folder> {
  const folders = new Map<string, Folder>([['', { path: '', children: [], block: 0, length: 0 }]])
  const add = (path: string): void => {
    if (path === '' || folders.has(path)) return
    const cut = path.lastIndexOf('/')
    const parent = cut < 0 ? '' : path.slice(0, cut)
    add(parent)
    folders.get(parent)?.children.push(path)
    folders.set(path, { path, children: [], block: 0, length: 0 })
  }
  for (const path of paths) {
    const cut = path.lastIndexOf('/')
    const parent = cut < 0 ? '' : path.slice(0, cut)
    add(parent)
    folders.get(parent)?.children.push(path)
  }
  return folders
}

/**
 * Writes all directories twice: first to learn their lengths, then with all places known.
 *
 * @param from The block of the first directory.
 * @param put Adds bytes to the image, and returns their block.
 */
function writeDirectories(
  disc: Disc,
  from: number,
  kind: 'primary' | 'joliet',
  put: (bytes: Buffer) => number,
): { root: { block: number; length: number } } {
  const folders = [...disc.folders.values()]
  const write = (): Buffer[] => {
    disc.more.bytes.length = 0
    disc.more.used = 0
    return folders.map((folder) => directory(disc, folder, kind))
  }
  let next = from
  for (const [i, bytes] of write().entries()) {
    const folder = folders[i]
    if (!folder) continue
    folder.block = next
    folder.length = bytes.length
    next += bytes.length / sector
  }
  disc.more.block = next
  for (const bytes of write()) put(bytes)
  if (disc.more.bytes.length > 0) put(Buffer.concat(disc.more.bytes))
  const root = disc.folders.get('') ?? { block: 0, length: 0 }
  return { root: { block: root.block, length: root.length } }
}

function directory(disc: Disc, folder: Folder, kind: 'primary' | 'joliet'): Buffer {
  const rockRidge = kind === 'primary' && disc.shape.rockRidge !== false
  const parent = disc.folders.get(folder.path.slice(0, Math.max(0, folder.path.lastIndexOf('/')))) ?? folder
  // The field SP with its check bytes, in the root's own record: the disc has Rock Ridge (SUSP 5.3).
  const sp = field('SP', Buffer.from([0xbe, 0xef, 0]))
  const self = rockRidge && folder.path === '' ? [sp] : []
  const records = [
    record({ name: Buffer.from([0]), place: folder, isFolder: true, fields: self }),
    record({ name: Buffer.from([1]), place: parent, isFolder: true, fields: [] }),
  ]
  for (const [index, path] of [...folder.children].sort().entries())
    records.push(...childRecords(disc, path, index, kind))
  return packed(records)
}

/** The identifier of ECMA-119 7.5 and 7.6: short with Rock Ridge, else the name in upper case. */
function primaryName(name: string, index: number, isFolder: boolean, rockRidge: boolean): string {
  if (rockRidge) return isFolder ? `D${index}` : `F${index}.;1`
  const upper = name.toUpperCase()
  if (isFolder) return upper
  return `${upper}${name.includes('.') ? '' : '.'};1`
}

/** The fields of Rock Ridge: NM for the name, SL for the target, and those that the test asks for. */
function rockRidgeFields(name: string, file: IsoFile | undefined, movedTo: Folder | undefined): Buffer[] {
  const fields = nameFields(name)
  if (file?.target !== undefined) fields.push(linkField(file.target))
  fields.push(...(file?.fields ?? []))
  if (movedTo) fields.push(field('CL', both(movedTo.block)))
  return fields
}

function childRecords(disc: Disc, path: string, index: number, kind: 'primary' | 'joliet'): Buffer[] {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const rockRidge = kind === 'primary' && disc.shape.rockRidge !== false
  const inner = disc.folders.get(path)
  const file = disc.files.get(path)
  const written =
    kind === 'joliet'
      ? Buffer.from(name.slice(0, 64), 'utf16le').swap16()
      : Buffer.from(primaryName(name, index, inner !== undefined, rockRidge), 'latin1')
  const moved = rockRidge && disc.shape.relocated?.includes(path) ? inner : undefined
  const fields = rockRidge ? rockRidgeFields(name, file, moved) : []
  const kept = rockRidge && disc.shape.continuation ? [continued(disc, fields)] : fields
  const pieces = file?.pieces ?? [inner ?? disc.places.get(path) ?? { block: 0, length: 0 }]
  return pieces.map((place, i) =>
    record({
      name: written,
      place: moved ? { block: 0, length: 0 } : place,
      isFolder: inner !== undefined && !moved,
      continues: i < pieces.length - 1,
      fields: kept,
    }),
  )
}

/** Moves fields into a continuation area; in the record remains a CE field. */
function continued(disc: Disc, fields: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(fields)
  const { more } = disc
  // An area does not cross a block.
  if ((more.used % sector) + bytes.length > sector) {
    const fill = sector - (more.used % sector)
    more.bytes.push(Buffer.alloc(fill))
    more.used += fill
  }
  const offset = more.used
  more.bytes.push(bytes)
  more.used += bytes.length
  return continuationField({
    block: more.block + Math.floor(offset / sector),
    offset: offset % sector,
    length: bytes.length,
  })
}

/** The field CE: the fields continue in an area (SUSP 5.1). */
export function continuationField(area: {
  readonly block: number
  readonly offset: number
  readonly length: number
}): Buffer {
  const { block, offset, length } = area
  return field('CE', both(block), both(offset), both(length))
}

/** A system use field of version 1. */
export function field(kind: string, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from(kind, 'latin1'), Buffer.from([4 + body.length, 1]), body])
}

function nameFields(name: string): Buffer[] {
  const bytes = Buffer.from(name, 'utf8')
  const fields: Buffer[] = []
  // Names over 100 bytes are split into several fields, so that tests have both forms.
  for (let at = 0; at < bytes.length; at += 100)
    fields.push(field('NM', Buffer.from([at + 100 < bytes.length ? 1 : 0]), bytes.subarray(at, at + 100)))
  return fields
}

/** Each component: its flags, the length of its name, the name (P1282 4.1.3). */
function linkField(target: string): Buffer {
  const parts = target.split('/').map((part) => {
    if (part === '') return Buffer.from([8, 0]) // the root
    if (part === '.') return Buffer.from([2, 0])
    if (part === '..') return Buffer.from([4, 0])
    return Buffer.concat([Buffer.from([0, Buffer.byteLength(part)]), Buffer.from(part)])
  })
  return field('SL', Buffer.from([0]), ...parts)
}

interface RecordShape {
  readonly name: Buffer
  readonly place: { readonly block: number; readonly length: number }
  readonly isFolder: boolean
  readonly continues?: boolean
  readonly fields: readonly Buffer[]
}

/** A directory record (ECMA-119 9.1). */
export function record({ name, place, isFolder, continues = false, fields }: RecordShape): Buffer {
  const base = 33 + name.length + (name.length % 2 === 0 ? 1 : 0)
  const use = Buffer.concat(fields)
  const length = base + use.length + ((base + use.length) % 2)
  if (length > 255) throw new Error(`a directory record of ${length} bytes: use continuation`)
  const bytes = Buffer.alloc(length)
  bytes[0] = length
  both(place.block).copy(bytes, 2)
  both(place.length).copy(bytes, 10)
  Buffer.from([124, 4, 14, 12, 0, 0, 0]).copy(bytes, 18) // 2024-04-14 12:00 UTC
  bytes[25] = (isFolder ? 2 : 0) | (continues ? 0x80 : 0)
  bytes[28] = 1 // volume sequence number, in both byte orders
  bytes[31] = 1
  bytes[32] = name.length
  name.copy(bytes, 33)
  use.copy(bytes, base)
  return bytes
}

/** Joins records so that none crosses the end of a sector. */
function packed(records: readonly Buffer[]): Buffer {
  const sectors: Buffer[] = []
  let at = 0
  for (const each of records) {
    if (at + each.length > sector) {
      sectors.push(Buffer.alloc(sector - at))
      at = 0
    }
    sectors.push(each)
    at += each.length
  }
  sectors.push(Buffer.alloc(sector - at))
  return Buffer.concat(sectors)
}

/** A primary (1) or Joliet (2) volume descriptor (ECMA-119 8.4 and 8.5). */
function descriptor(type: 1 | 2, root: { block: number; length: number }, blocks: number): Buffer {
  const bytes = Buffer.alloc(sector)
  bytes[0] = type
  bytes.write('CD001', 1, 'latin1')
  bytes[6] = 1 // version
  bytes.fill(' ', 8, 72)
  if (type === 2) bytes.write('%/E', 88, 'latin1') // UCS-2 level 3
  if (type === 2) Buffer.from('TEST', 'utf16le').swap16().copy(bytes, 40)
  both(blocks).copy(bytes, 80) // size of the volume
  bytes.writeUInt16LE(sector, 128) // size of a block, in both byte orders
  bytes.writeUInt16BE(sector, 130)
  record({ name: Buffer.from([0]), place: root, isFolder: true, fields: [] }).copy(bytes, 156)
  return bytes
}

/** Writes identifiers into a descriptor (ECMA-119 8.4). */
function withIds(bytes: Buffer, ids: Partial<VolumeIds> = {}): Buffer {
  const write = (text: string, at: number, length: number) =>
    bytes.fill(' ', at, at + length).write(text, at, length)
  write(ids.system ?? '', 8, 32)
  write(ids.volume ?? 'TEST', 40, 32)
  write(ids.publisher ?? '', 318, 128)
  write(ids.application ?? '', 574, 128)
  return bytes
}

/** A number in both byte orders, ECMA-119 7.3.3. */
function both(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(value >>> 0, 0)
  bytes.writeUInt32BE(value >>> 0, 4)
  return bytes
}
