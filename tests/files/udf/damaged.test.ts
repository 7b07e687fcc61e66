import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runs } from '../../support/fuzz.ts'
import { walkImage } from '../../support/iso/walk-image.ts'
import { blockOf, writeBridge } from '../../support/iso/write-bridge.ts'
import { fieldAt, seal, sectors, tags, tagsIn, type UdfShape, writeUdf } from '../../support/iso/write-udf.ts'

const files: UdfShape['files'] = {
  '.treeinfo': { bytes: '[general]\nfamily = Fedora\n', allocation: 'embedded' },
  'images/pxeboot/vmlinuz': 'kernel',
  'images/pxeboot/initrd.img': {
    bytes: 'i'.repeat(5000),
    allocation: 'long',
    pieceBlocks: 1,
    descriptorsEach: 2,
  },
  'a/b/c/d/deep': 'deep',
  link: { target: 'images/../images/pxeboot' },
}

/** The longest extent in whole blocks: an allocation descriptor has 30 bits of length. */
const most = 0x3ffff800
/** A file over 4 GiB: five extents that follow each other from block 1000 of the partition on. */
const big = Array.from({ length: 5 }, (_, i) => ({ block: 1000 + (i * most) / 2048, length: most }))
const bigSize = 5 * most

/**
 * ISO 9660 records for the same files, where these are contiguous. That of the kernel has only its first bytes.
 * That of `big` has the low 32 bits of its length, as genisoimage writes it.
 */
function bridge(rockRidge: boolean): Buffer {
  const { bytes } = writeBridge({ files: { ...files, big: { pieces: big } } }, (udf) => ({
    rockRidge,
    files: {
      big: { pieces: [{ block: sectors.partition + 1000, length: bigSize % 2 ** 32 }] },
      'images/pxeboot/initrd.img': 'initrd',
      link: { target: 'images/../images/pxeboot' },
      ...Object.fromEntries(
        ['images/pxeboot/vmlinuz', 'a/b/c/d/deep'].map((path) => [
          path,
          { pieces: [{ block: blockOf(udf, path), length: 'deep'.length }] },
        ]),
      ),
    },
  }))
  return bytes
}

/** The size of an image that has room for `big`; see `imageOf`. */
const eightGigabytes = 8 * 2 ** 30
const good: Record<string, readonly [whole: Buffer, size?: number]> = {
  'UDF 1.02': [writeUdf({ files, blockBytes: 512 }).bytes],
  'UDF 2.50': [
    writeUdf({ files, blockBytes: 512, version2: true, metadata: true, folders: 'embedded' }).bytes,
  ],
  'UDF beside plain names': [bridge(false), eightGigabytes],
  'Rock Ridge, and a file over 4 GiB in UDF': [bridge(true), eightGigabytes],
}

describe.each(Object.entries(good))('a damaged image with %s', (_name, [whole, size = whole.length]) => {
  /** The positions of the bytes that are parsed: everything that is not zero behind the system area. */
  const places: number[] = []
  for (let at = 32_768; at < whole.length; at++) if (whole[at] !== 0) places.push(at)
  const allTags = tagsIn(whole)
  /** The tag of the descriptor that a byte belongs to, or follows. */
  const tagBefore = (place: number) => allTags.findLast((at) => at <= place)
  /** The end of the bytes that the CRC of a tag covers; the tag has 16 bytes. */
  const crcEnd = (tag: number) => tag + 16 + whole.readUInt16LE(tag + fieldAt.tag.crcLength)

  test('has all its files before it is damaged', async () => {
    const { nodes, failures } = await walkImage(whole, size)
    expect(failures).toEqual([])
    if (size === eightGigabytes) expect(nodes.find(([path]) => path === '/big')?.[1].size).toBe(bigSize)
    expect(nodes.map(([path]) => path)).toEqual(
      expect.arrayContaining(['/a/b/c/d/deep', '/images/pxeboot/vmlinuz', '/link/initrd.img']),
    )
  })

  /** Damage that the checksums reveal, and damage whose checksums are corrected. */
  const spoil = (changes: readonly (readonly [number, number])[], sealed: boolean): Buffer => {
    const bytes = Buffer.from(whole)
    for (const [i, value] of changes) {
      const place = places[i % places.length] ?? 0
      bytes[place] = value
      const tag = tagBefore(place)
      if (sealed && tag !== undefined && place < crcEnd(tag)) seal(bytes, tag)
    }
    return bytes
  }
  const change = fc.tuple(
    fc.nat(places.length - 1),
    fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)),
  )

  test.each([
    ['and the old checksums', false],
    ['and corrected checksums', true],
  ])('with any bytes changed %s is read as far as possible, or refused with the place', async (_, sealed) => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
        const { failures, readings } = await walkImage(spoil(changes, sealed), size)
        expect(readings).toBeLessThan(3000)
        for (const { kind, message } of failures) {
          expect(['invalid-data', 'unsupported']).toContain(kind)
          expect(message).toMatch(/^x\.iso(?:, byte \d+: |: .* at bytes \d+ to \d+)/)
        }
      }),
      { numRuns: runs(75) },
    )
  })

  test('with a whole field changed is read or refused, whatever the position or length', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(places.length - 1), fc.nat(0xffffffff), async (i, value) => {
        const bytes = Buffer.from(whole)
        const place = Math.min(places[i] ?? 0, bytes.length - 4)
        bytes.writeUInt32LE(value >>> 0, place)
        const tag = tagBefore(place)
        if (tag !== undefined) seal(bytes, tag)
        expect((await walkImage(bytes, size)).readings).toBeLessThan(3000)
      }),
      { numRuns: runs(75) },
    )
  })

  test('cut anywhere is read or refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), async (length) => {
        await walkImage(whole.subarray(0, length))
      }),
      { numRuns: runs(60) },
    )
  })

  test('with random bytes from its file set descriptor on is read or refused', async () => {
    const start = allTags.find((at) => whole.readUInt16LE(at) === tags.fileSet) ?? 0
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 2048, maxLength: 8192 }), async (junk) => {
        const bytes = Buffer.from(whole)
        bytes.set(junk.subarray(0, bytes.length - start), start)
        await walkImage(bytes, size)
      }),
      { numRuns: runs(30) },
    )
  })
})
