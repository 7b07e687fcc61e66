import { open, truncate } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { isoSource } from '../../../server/files/iso/source.ts'
import { cleanPath } from '../../../server/files/path.ts'
import { anyone } from '../../contract/file-source.ts'
import { blockOf, writeBridge } from '../../support/iso/write-bridge.ts'
import { fieldAt, seal, sectors, tags, tagsIn, type WrittenUdf } from '../../support/iso/write-udf.ts'
import { imageSource, names, stat, text } from '../../support/sources.ts'
import { stating } from '../../support/stating.ts'

const sourceOf = (bytes: Uint8Array) => imageSource(bytes, 'bridge.iso')

describe('a disc with ISO 9660 and UDF', () => {
  const udf = { files: { 'A long name.txt': 'udf', only: 'here' } }
  /** The disc without its anchors. */
  const damaged = (disc: WrittenUdf): Buffer => {
    for (const at of tagsIn(disc.bytes, tags.anchor)) disc.bytes.fill(0, at, at + 16)
    return disc.bytes
  }
  const iso = { files: { 'A long name.txt': 'iso', link: { target: 'A long name.txt' } } }

  test('Rock Ridge is read, because it has the symlinks that genisoimage leaves out of UDF', async () => {
    const { source } = await sourceOf(writeBridge(udf, () => iso).bytes)
    expect(await names(source, '/')).toEqual(['A long name.txt', 'link'])
    expect(await text(source, '/link')).toBe('iso')
  })

  test('UDF is read beside Joliet, and beside a lone README.TXT as on Microsoft discs', async () => {
    for (const shape of [
      { ...iso, rockRidge: false, joliet: true },
      { files: { 'README.TXT': 'This disc contains a "UDF" file system' }, rockRidge: false },
    ]) {
      const { source } = await sourceOf(writeBridge(udf, () => shape).bytes)
      expect(await names(source, '/')).toEqual(['A long name.txt', 'only'])
      expect(await text(source, '/A long name.txt')).toBe('udf')
    }
  })

  test('ISO 9660 is read when UDF is damaged', async () => {
    const joliet = { ...iso, rockRidge: false, joliet: true }
    const { source } = await sourceOf(damaged(writeBridge(udf, () => joliet)))
    expect(await names(source, '/')).toEqual(['A long name.txt', 'link'])
    expect(await text(source, '/A long name.txt')).toBe('iso')
    const rockRidge = await sourceOf(damaged(writeBridge(udf, () => iso)))
    expect(await text(rockRidge.source, '/link')).toBe('iso')
  })
})

describe('a file over 4 GiB on a bridge disc', () => {
  /** The longest extent in whole blocks: an allocation descriptor has 30 bits of length. */
  const most = 0x3ffff800
  const size = 4 * most + 20_000
  /** Where the file begins: at block 1000 of the UDF partition. */
  const at = (sectors.partition + 1000) * 2048
  const pieces = Array.from({ length: 5 }, (_, i) => ({
    block: 1000 + (i * most) / 2048,
    length: i < 4 ? most : 20_000,
  }))

  interface BigDisc {
    /** The length in the record of ISO 9660. */
    readonly recordLength?: number
    readonly spoil?: (disc: WrittenUdf) => void
  }

  /** As `genisoimage -R -udf -allow-limited-size` writes it: the record has the low 32 bits of the length. */
  async function bigDisc({ recordLength = size % 2 ** 32, spoil }: BigDisc) {
    const disc = writeBridge({ files: { 'LiveOS/squashfs.img': { pieces }, early: 'early' } }, (udf) => ({
      files: {
        'LiveOS/squashfs.img': { pieces: [{ block: at / 2048, length: recordLength }] },
        'LiveOS/link': { target: 'squashfs.img' },
        early: { pieces: [{ block: blockOf(udf, 'early'), length: 5 }] },
        late: { pieces: [{ block: (at + 4 * most) / 2048, length: 10 }] },
      },
    }))
    spoil?.(disc)
    const { file } = await sourceOf(disc.bytes)
    await truncate(file, at + size)
    const handle = await open(file, 'r+')
    await handle.write('the end...', at + size - 10)
    await handle.close()
    return { source: await isoSource(file), file, disc }
  }

  test('has its size and extent from UDF, also in a listing and behind a symlink', async () => {
    // Also with a record of no length, and with the greatest length of whole sectors.
    for (const recordLength of [size % 2 ** 32, 0, 0xfffff800]) {
      const { source, file } = await bigDisc({ recordLength })
      const entry = await stat(source, '/LiveOS/squashfs.img')
      expect(entry).toMatchObject({ name: 'squashfs.img', size, extent: { file, offset: at } })
      const target = Buffer.alloc(20)
      const opened = await entry?.open()
      expect(await opened?.read(target, 0, 20, size - 10)).toBe(10)
      await opened?.close()
      expect(target.toString('latin1', 0, 10)).toBe('the end...')
      const listed = await source.list(cleanPath('/LiveOS'), anyone)
      expect(listed?.map((each) => [each.name, each.size])).toEqual([
        ['link', size],
        ['squashfs.img', size],
      ])
      expect((await stat(source, '/LiveOS/link'))?.size).toBe(size)
      expect(await text(source, '/early')).toBe('early')
    }
  })

  test('is refused when UDF does not give its length; a file that cannot be longer is served', async () => {
    const { source, disc } = await bigDisc({
      spoil: ({ bytes, entries }) => {
        bytes[(entries.get('LiveOS/squashfs.img')?.at ?? 0) + fieldAt.fileEntry.size] = 1
      },
    })
    const entry = disc.entries.get('LiveOS/squashfs.img')?.at
    await expect(stat(source, '/LiveOS/squashfs.img')).rejects.toThrow(
      stating('bridge.iso', `byte ${entry}`, 'UDF', 'CRC', 'squashfs.img'),
    )
    expect(await text(source, '/early')).toBe('early')
    // This file ends so near the end of the image that it cannot be longer: UDF is not read.
    expect((await stat(source, '/late'))?.size).toBe(10)
  })

  test('is not confused with another file of the same name in UDF', async () => {
    const { source } = await bigDisc({
      spoil: ({ bytes, entries }) => {
        const entry = entries.get('LiveOS/squashfs.img')?.at ?? 0
        // In UDF the file is elsewhere: the first allocation descriptor points a block further.
        const first = entry + fieldAt.fileEntry.area
        bytes.writeUInt32LE(bytes.readUInt32LE(first + 4) + 1, first + 4)
        seal(bytes, entry)
      },
    })
    expect((await stat(source, '/LiveOS/squashfs.img'))?.size).toBe(size % 2 ** 32)
  })
})
