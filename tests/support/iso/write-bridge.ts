import { type IsoShape, writeIso } from './write-iso.ts'
import { sectors, type UdfShape, type WrittenUdf, writeUdf } from './write-udf.ts'

const sector = 2048

/**
 * A disc with ISO 9660 and UDF. UDF is written first, so that records of ISO 9660 can point at its bytes.
 *
 * @param iso Makes the ISO 9660 files from the UDF disc: `pieces` with `blockOf(udf, path)` share its bytes.
 */
export function writeBridge(udf: UdfShape, iso: (udf: WrittenUdf) => IsoShape): WrittenUdf {
  const written = writeUdf(udf)
  const image = Buffer.from(written.bytes)
  // Sectors 16 to 23 have room for at most three descriptors of ISO 9660 and the three of UDF.
  const { bytes } = writeIso({ ...iso(written), firstBlock: 24 })
  if (bytes.length > sectors.main * sector) throw new Error('ISO 9660 reaches into UDF')
  bytes.copy(image, 16 * sector, 16 * sector)
  // Each volume of ISO 9660 gets the size of the whole image, in both byte orders. The terminator is 255.
  let end = 16
  for (; image[end * sector] !== 255; end++) {
    image.writeUInt32LE(image.length / sector, end * sector + 80)
    image.writeUInt32BE(image.length / sector, end * sector + 84)
  }
  for (const [i, name] of ['BEA01', 'NSR02', 'TEA01'].entries()) {
    image.fill(0, (end + 1 + i) * sector, (end + 2 + i) * sector)
    image.write(name, (end + 1 + i) * sector + 1, 'latin1')
  }
  return { ...written, bytes: image }
}

/** The sector of a file's first byte. */
export function blockOf(udf: WrittenUdf, path: string): number {
  return (udf.data.get(path) ?? 0) / sector
}
