import { record, type WrittenIso } from './write-iso.ts'

/** A record for a test that writes a directory itself. */
export interface OwnRecord {
  /** The name in the record, as it is. */
  readonly name: string
  readonly block?: number
  readonly length?: number
  /** The flags (ECMA-119 9.1.6): 2 a folder, 4 an associated file, 0x80 a file that continues. */
  readonly flags?: number
  /** The size of the units and of the gaps of an interleaved file. */
  readonly interleave?: readonly [number, number]
  readonly fields?: readonly Buffer[]
}

export function ownRecord({ name, block = 0, length = 0, flags = 0, ...rest }: OwnRecord): Buffer {
  const { interleave = [0, 0], fields = [] } = rest
  const bytes = record({
    name: Buffer.from(name, 'latin1'),
    place: { block, length },
    isFolder: false,
    fields,
  })
  Buffer.from([flags, ...interleave]).copy(bytes, 25)
  return bytes
}

/** Replaces the directory of one sector that a folder of an image has by these records. */
export function withRecords(
  { bytes, folders }: WrittenIso,
  path: string,
  records: readonly OwnRecord[],
): Buffer {
  const at = (folders.get(path)?.block ?? 0) * 2048
  bytes.fill(0, at, at + 2048)
  Buffer.concat(records.map(ownRecord)).copy(bytes, at)
  return bytes
}
