import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openDisc } from '../../../server/files/iso/disc.ts'
import { cleanPath } from '../../../server/files/path.ts'
import { fromSparseHex, imageOf, sparseHex, walkImage } from '../../support/iso/walk-image.ts'
import { blockOf, writeBridge } from '../../support/iso/write-bridge.ts'
import { identifier, seal, tagsIn, type UdfShape, writeUdf } from '../../support/iso/write-udf.ts'

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

const big = Array.from({ length: 5 }, (_, i) => ({ block: 1000 + i * 524_287, length: 0x3ffff800 }))

/** ISO 9660 tells of the same files, where they are in one piece. */
function bridge(rockRidge: boolean): Buffer {
  const { bytes } = writeBridge({ files: { ...files, big: { pieces: big } } }, (udf) => ({
    rockRidge,
    files: {
      big: { pieces: [{ block: 1257, length: (5 * 0x3ffff800) % 2 ** 32 }] },
      'images/pxeboot/initrd.img': 'initrd',
      link: { target: 'images/../images/pxeboot' },
      ...Object.fromEntries(
        ['images/pxeboot/vmlinuz', 'a/b/c/d/deep'].map((path) => [
          path,
          { pieces: [{ block: blockOf(udf, path), length: 4 }] },
        ]),
      ),
    },
  }))
  return bytes
}

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
  /** Where the bytes that parsing rests on are: everything that is not zero behind the system area. */
  const places = [...whole.keys()].filter((at) => at >= 32_768 && whole[at] !== 0)
  const tags = tagsIn(whole)

  test('before it is damaged has everything', async () => {
    const { nodes, failures } = await walkImage(whole, size)
    expect(failures).toEqual([])
    if (size === eightGigabytes)
      expect(nodes.find(([path]) => path === '/big')?.[1].size).toBe(5 * 0x3ffff800)
    expect(nodes.map(([path]) => path)).toEqual(
      expect.arrayContaining(['/a/b/c/d/deep', '/images/pxeboot/vmlinuz', '/link/initrd.img']),
    )
  })

  /** Damage that checksums catch, and damage that somebody made them hold for. */
  const spoil = (changes: readonly (readonly [number, number])[], sealed: boolean): Buffer => {
    const bytes = Buffer.from(whole)
    for (const [i, value] of changes) {
      const place = places[i % places.length] ?? 0
      bytes[place] = value
      const tag = tags.findLast((at) => at <= place)
      if (sealed && tag !== undefined && place < tag + 16 + whole.readUInt16LE(tag + 10)) seal(bytes, tag)
    }
    return bytes
  }
  const change = fc.tuple(
    fc.nat(places.length - 1),
    fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)),
  )

  test.each([
    ['and checksums that tell', false],
    ['and checksums made to hold', true],
  ])(
    'with any bytes changed %s, is read as far as it can be, or refused with the place',
    async (_, sealed) => {
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
          const { failures, readings } = await walkImage(spoil(changes, sealed), size)
          expect(readings).toBeLessThan(3000)
          for (const { kind, message } of failures) {
            expect(['invalid-data', 'unsupported']).toContain(kind)
            expect(message).toMatch(/^x\.iso(?:, byte \d+: |: .* at bytes \d+ to \d+)/)
          }
        }),
        { numRuns: 300 },
      )
    },
  )

  test('with a whole field changed: positions and lengths of any size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(places.length - 1), fc.nat(0xffffffff), async (i, value) => {
        const bytes = Buffer.from(whole)
        const place = Math.min(places[i] ?? 0, bytes.length - 4)
        bytes.writeUInt32LE(value >>> 0, place)
        const tag = tags.findLast((at) => at <= place)
        if (tag !== undefined) seal(bytes, tag)
        expect((await walkImage(bytes, size)).readings).toBeLessThan(3000)
      }),
      { numRuns: 300 },
    )
  })

  test('cut anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), async (length) => {
        await walkImage(whole.subarray(0, length))
      }),
      { numRuns: 200 },
    )
  })

  test('of nothing but random bytes in its partition', async () => {
    const start = tags.find((at) => whole.readUInt16LE(at) === 256) ?? 0
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 2048, maxLength: 8192 }), async (junk) => {
        const bytes = Buffer.from(whole)
        bytes.set(junk.subarray(0, bytes.length - start), start)
        await walkImage(bytes, size)
      }),
      { numRuns: 50 },
    )
  })
})

/** What one of these images is, and what is said of it: the message with its place. */
interface Hostile {
  readonly bytes: Buffer
  readonly says: string
}

const small = (shape: UdfShape['files'], rest: Omit<UdfShape, 'files'> = {}) =>
  writeUdf({ files: shape, blockBytes: 512, ...rest })

/** A small image with bytes changed in one descriptor, which is made to hold again. */
function changed(
  edit: (written: ReturnType<typeof writeUdf>) => { at: number; says: string },
  shape: UdfShape['files'] = { 'a/b/file': { bytes: 'content', pieceBlocks: 1 } },
  rest: Omit<UdfShape, 'files'> = {},
): Hostile {
  const written = small(shape, rest)
  const { at, says } = edit(written)
  seal(written.bytes, at)
  return { bytes: written.bytes, says }
}

/** The same for the file entry of `a/b/file`. */
function changedEntry(edit: (bytes: Buffer, at: number) => string, path = 'a/b/file'): Hostile {
  return changed(({ bytes, entries }) => {
    const at = entries.get(path)?.at ?? 0
    return { at, says: edit(bytes, at) }
  })
}

/** For both sequences: what is wrong in one, the other would mend. */
function changedVolume(id: number, edit: (bytes: Buffer, at: number) => string): Hostile {
  const { bytes } = small({ file: 'x' })
  const [first = '', ...others] = tagsIn(bytes, id).map((at) => {
    const says = edit(bytes, at)
    seal(bytes, at)
    return says
  })
  expect(others).toHaveLength(1)
  return { bytes, says: first }
}

/** The second identifier of a folder: `a` in the root, behind the way up and what was deleted. */
function changedIdentifier(edit: (bytes: Buffer, at: number) => string, mend = true): Hostile {
  const { bytes, folders } = small({ 'a/b/file': 'x' })
  const at = tagsIn(bytes, 257).filter((each) => each >= (folders.get('') ?? 0))[2] ?? 0
  const says = edit(bytes, at)
  if (mend) seal(bytes, at)
  return { bytes, says }
}

const pieces = (count: number) => ({ bytes: 'p'.repeat(count * 512), pieceBlocks: 1, descriptorsEach: 1 })

/** Makes what continues in the `from`th allocation extent continue in the `to`th. */
function circle(count: number, from: number, to: number): Hostile {
  const { bytes, partitionAt } = small({ file: pieces(count) })
  // Written from the last to the first.
  const extents = tagsIn(bytes, 258).reverse()
  const at = extents[from] ?? 0
  bytes.writeUInt32LE(((extents[to] ?? 0) - partitionAt) / 512, at + 24 + 8 + 4)
  seal(bytes, at)
  return { bytes, says: `x.iso, byte ${at + 32}: the allocation descriptors of a file lead on without end` }
}

const hostile: Record<string, () => Hostile> = {
  'an allocation extent that continues in itself': () => circle(3, 0, 0),
  'allocation extents that continue in each other': () => circle(5, 2, 1),
  'an allocation extent that tells of more than it has': () =>
    changed(
      ({ bytes }) => {
        const [at = 0] = tagsIn(bytes, 258)
        bytes.writeUInt32LE(0xffffffff, at + 20)
        return {
          at,
          says: `x.iso, byte ${at + 20}: an allocation extent descriptor has room for 488 bytes and tells of 4294967295`,
        }
      },
      { file: pieces(3) },
    ),
  'an allocation extent that is none': () =>
    changed(
      ({ bytes }) => {
        const [at = 0] = tagsIn(bytes, 258)
        bytes.writeUInt16LE(257, at)
        return {
          at,
          says: `x.iso, byte ${at}: expected an allocation extent descriptor (tag 258), found the tag 257`,
        }
      },
      { file: pieces(3) },
    ),
  'a file that lies outside of the image': () => {
    const { bytes } = small({ file: { pieces: [{ block: 0xffffffff, length: 2048 }] } })
    const at = (257 + 0xffffffff) * 512
    return { bytes, says: `x.iso: file lies at bytes ${at} to ${at + 2048}` }
  },
  'a file that ends outside of the image': () => {
    const { bytes } = small({ file: { pieces: [{ block: 0, length: 0x3fffffff }] } })
    return { bytes, says: `x.iso: file lies at bytes 131584 to ${131_584 + 0x3fffffff}` }
  },
  'a file of more bytes than numbers are exact for': () => {
    const { bytes, entries } = small({ file: { bytes: 'x', size: 2n ** 64n - 1n } })
    const at = entries.get('file')?.at ?? 0
    return {
      bytes,
      says: `x.iso, byte ${at + 56}: the file entry tells of a file of 18446744073709551615 bytes`,
    }
  },
  'a file of which the descriptors tell less': () => {
    const { bytes, entries } = small({ file: { bytes: 'x', size: 2 ** 52 } })
    const at = entries.get('file')?.at ?? 0
    return {
      bytes,
      says: `x.iso, byte ${at}: the file entry tells of 4503599627370496 bytes, and its allocation descriptors of 1`,
    }
  },
  'an embedded file of more bytes than there are': () => {
    const { bytes, entries } = small({ file: { bytes: 'x', allocation: 'embedded', size: 400 } })
    const at = entries.get('file')?.at ?? 0
    return { bytes, says: `x.iso, byte ${at + 56}: the file entry holds 1 bytes of a file of 400` }
  },
  'a file with a hole': () => {
    const { bytes, entries } = small({ file: { pieces: [{ block: 0, length: 0x3fffffff, kind: 2 }] } })
    const at = (entries.get('file')?.at ?? 0) + 180
    return { bytes, says: `x.iso, byte ${at}: a file has a hole of 1073741823 bytes, which is not read` }
  },
  'a file in a partition that is not there': () => {
    const { bytes, entries } = small({ file: { bytes: 'x', allocation: 'long' } })
    const at = entries.get('file')?.at ?? 0
    bytes.writeUInt16LE(9, at + 180 + 8)
    seal(bytes, at)
    return { bytes, says: `x.iso, byte ${at + 180}: names the partition 9, where the volume has 1` }
  },
  'a file of seventy thousand pieces': () => {
    const { bytes } = writeUdf({
      files: { file: { ...pieces(1), pieces: manyPieces(70_000), descriptorsEach: 200 } },
    })
    return { bytes, says: 'a file is in more than 65536 pieces' }
  },
  'a folder whose files share seventy thousand pieces': () => {
    const shared = { pieces: manyPieces(60_000), descriptorsEach: 200 }
    const { bytes, entries } = writeUdf({
      files: { f0: shared, ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i + 1}`, 'x'])) },
    })
    const from = entries.get('f0')?.at ?? 0
    for (let i = 1; i <= 20; i++) {
      const { at = 0, block = 0 } = entries.get(`f${i}`) ?? {}
      bytes.copy(bytes, at, from, from + 2048)
      seal(bytes, at, block)
    }
    return { bytes, says: 'a file is in more than 65536 pieces, or its folder' }
  },
  'a file entry whose parts do not fit into its block': () =>
    changedEntry((bytes, at) => {
      bytes.writeUInt32LE(0xfffffff0, at + 168)
      return `x.iso, byte ${at + 168}: the file entry has 4294967280 bytes of attributes and 8 of allocation descriptors`
    }),
  'a file entry with descriptors of a forbidden kind': () =>
    changedEntry((bytes, at) => {
      bytes.writeUInt16LE(2, at + 34)
      return `x.iso, byte ${at + 34}: expected allocation descriptors of the kind 0, 1 or 3, found 2`
    }),
  'a file entry written in steps': () =>
    changedEntry((bytes, at) => {
      bytes.writeUInt16LE(4096, at + 20)
      return `x.iso, byte ${at + 20}: the file entry has the ICB strategy 4096`
    }),
  'a file entry of another place': () =>
    changedEntry((bytes, at) => {
      bytes.writeUInt32LE(77, at + 12)
      return `x.iso, byte ${at}: a file entry (UDF) says it lies in block 77, not in `
    }),
  'a file entry of a future version': () => {
    const { bytes, entries } = small({ file: 'x' })
    const { at = 0 } = entries.get('file') ?? {}
    bytes[at + 2] = 9
    bytes[at + 4] = ((bytes[at + 4] ?? 0) + 7) & 0xff
    return { bytes, says: `x.iso, byte ${at}: a file entry (UDF) is of version 9` }
  },
  'a file entry with a wrong checksum': () => {
    const { bytes, entries } = small({ file: 'x' })
    const { at = 0 } = entries.get('file') ?? {}
    bytes[at + 4] = (bytes[at + 4] ?? 0) ^ 1
    return { bytes, says: `x.iso, byte ${at}: a file entry (UDF) has the checksum ` }
  },
  'a file entry with a wrong CRC': () => {
    const { bytes, entries } = small({ file: 'x' })
    const { at = 0 } = entries.get('file') ?? {}
    bytes[at + 40] = 1
    return { bytes, says: `x.iso, byte ${at}: a file entry (UDF) has the CRC ` }
  },
  'a folder that is the root': () => {
    const written = small({ 'a/b/file': 'x' })
    const root = written.entries.get('')
    return withAddress(written, 'a', root?.block ?? 0, `x.iso, byte ${root?.at}: the folder a holds itself`)
  },
  'a folder that is the one above': () => {
    const written = small({ 'a/b/file': 'x' })
    const a = written.entries.get('a')
    return withAddress(written, 'b', a?.block ?? 0, `x.iso, byte ${a?.at}: the folder b holds itself`)
  },
  'a folder of four gigabytes': () =>
    changedEntry((bytes, at) => {
      bytes.writeUInt32LE(0xffffffff, at + 56)
      return `x.iso, byte ${at + 56}: the file entry tells of a folder of 4294967295 bytes`
    }, 'a/b'),
  'a folder that is longer than what it holds': () =>
    changedEntry((bytes, at) => {
      const size = bytes.readUInt32LE(at + 56)
      bytes.writeUInt32LE(size + 4, at + 56)
      bytes.writeUInt32LE(size + 4, at + 176 + 4)
      return `expected a file identifier descriptor of at least 38 bytes, found 4`
    }, 'a/b'),
  'a root that is a file': () =>
    changed(({ bytes, fileSetAt, entries }) => {
      bytes.writeUInt32LE(entries.get('a/b/file')?.block ?? 0, fileSetAt + 404)
      return {
        at: fileSetAt,
        says: `x.iso, byte ${fileSetAt + 400}: expected the file entry of the root folder`,
      }
    }),
  'a file set in a partition that is not there': () =>
    changedVolume(6, (bytes, at) => {
      bytes.writeUInt16LE(0xffff, at + 256)
      return `x.iso, byte ${at + 248}: names the partition 65535, where the volume has 1`
    }),
  'a file set that is none': () =>
    changedVolume(6, (bytes, at) => {
      bytes.writeUInt32LE(1, at + 252)
      return `x.iso, byte ${258 * 512}: expected a file set descriptor (tag 256), found the tag 261`
    }),
  'a name longer than its folder': () =>
    changedIdentifier((bytes, at) => {
      bytes[at + 19] = 255
      bytes.writeUInt16LE(64, at + 10)
      return `x.iso, byte ${at}: a file identifier descriptor says it has 296 bytes, where the folder has 40`
    }),
  'implementation use longer than its folder': () =>
    changedIdentifier((bytes, at) => {
      bytes.writeUInt16LE(0xffff, at + 36)
      return `x.iso, byte ${at}: a file identifier descriptor says it has `
    }),
  'a name of an unknown kind': () =>
    changedIdentifier((bytes, at) => {
      bytes[at + 38] = 9
      return `x.iso, byte ${at + 38}: expected a name of 8 or 16 bits a character, found the kind 9 and 2 bytes`
    }),
  'a name cut in the middle of a character': () =>
    changedIdentifier((bytes, at) => {
      bytes[at + 38] = 16
      return `x.iso, byte ${at + 38}: expected a name of 8 or 16 bits a character, found the kind 16 and 2 bytes`
    }),
  'a file identifier with a wrong checksum': () =>
    changedIdentifier((bytes, at) => {
      bytes[at + 4] = (bytes[at + 4] ?? 0) ^ 1
      return `x.iso, byte ${at}: a file identifier descriptor has the checksum `
    }, false),
  'a file identifier with a wrong CRC': () =>
    changedIdentifier((bytes, at) => {
      bytes[at + 20] = (bytes[at + 20] ?? 0) ^ 1
      return `x.iso, byte ${at}: a file identifier descriptor has the CRC `
    }, false),
  'anchors with wrong checksums': () => {
    const { bytes } = small({ file: 'x' })
    for (const at of tagsIn(bytes, 2)) bytes[at + 4] = (bytes[at + 4] ?? 0) ^ 1
    return { bytes, says: 'x.iso, byte 524288: expected the anchor of a UDF volume' }
  },
  'anchors that point out of the image': () => {
    const { bytes } = small({ file: 'x' })
    for (const at of tagsIn(bytes, 2)) {
      for (const field of [20, 28]) bytes.writeUInt32LE(0xffffffff, at + field)
      seal(bytes, at)
    }
    return { bytes, says: `x.iso, byte ${0xffffffff * 512}: expected a volume descriptor (UDF) of 512 bytes` }
  },
  'a sequence without a volume': () =>
    changedVolume(6, (bytes, at) => {
      bytes.writeUInt16LE(4, at)
      return `x.iso, byte ${200 * 512}: expected a logical volume descriptor (tag 6)`
    }),
  'a sequence that leads to itself': () => {
    const { bytes, sequenceAt } = small({ file: 'x' }, { continued: true })
    for (const [at, to] of [
      [sequenceAt, 200],
      [216 * 512, 216],
    ] as const) {
      bytes.copy(bytes, at, sequenceAt, sequenceAt + 512)
      bytes.writeUInt32LE(to, at + 24)
      seal(bytes, at, to)
    }
    return {
      bytes,
      says: `x.iso, byte ${sequenceAt}: the volume descriptor sequence has more than 256 descriptors`,
    }
  },
  'blocks of no size': () =>
    changedVolume(6, (bytes, at) => {
      bytes.writeUInt32LE(0, at + 212)
      return `x.iso, byte ${at + 212}: expected logical blocks of 512 bytes, as the sectors are, found 0`
    }),
  'four billion partition maps': () =>
    changedVolume(6, (bytes, at) => {
      bytes.writeUInt32LE(0xffffffff, at + 268)
      return `x.iso, byte ${at + 446}: expected partition map 2 of 4294967295`
    }),
  'a table of partition maps without end': () =>
    changedVolume(6, (bytes, at) => {
      bytes.writeUInt32LE(0xffffffff, at + 264)
      return `x.iso, byte ${at + 264}: expected partition maps of at most 72 bytes, found 4294967295`
    }),
  'a partition map of no length': () =>
    changedVolume(6, (bytes, at) => {
      bytes[at + 441] = 0
      return `x.iso, byte ${at + 440}: expected partition map 1 of 1, of type 1 and 6 bytes or type 2 and 64 bytes; found type 1 and 0 bytes`
    }),
  'a partition that nobody tells of': () =>
    changedVolume(5, (bytes, at) => {
      bytes.writeUInt16LE(5, at + 22)
      return `x.iso, byte ${202 * 512 + 440}: the volume has a partition 0, which no partition descriptor tells of`
    }),
  'a partition that begins behind the image': () =>
    changedVolume(5, (bytes, at) => {
      bytes.writeUInt32LE(0xffffffff, at + 188)
      return `x.iso, byte ${0xffffffff * 512}: expected a file set descriptor of 512 bytes`
    }),
  'a metadata partition that lies in itself': () => {
    const { bytes, partitionAt } = small({ file: 'x' }, { metadata: true })
    for (const at of tagsIn(bytes, 261).filter((each) => each < partitionAt + 1024)) {
      bytes.writeUInt32LE(0, at + 180 + 4)
      seal(bytes, at)
    }
    return {
      bytes,
      says: `x.iso, byte ${partitionAt}: expected a file set descriptor (tag 256), found the tag 261`,
    }
  },
  'a metadata partition that is not there': () => {
    const { bytes, partitionAt } = small({ file: 'x' }, { metadata: true })
    bytes.fill(0, partitionAt, partitionAt + 1024)
    return {
      bytes,
      says: `x.iso, byte ${partitionAt}: expected a file entry (UDF) (tag 261 or 266), found the tag 0`,
    }
  },
  'a metadata partition with a hole where the root is': () => {
    const { bytes, partitionAt, sequenceAt } = small({ file: 'x' }, { metadata: true })
    for (const at of tagsIn(bytes, 261).filter((each) => each < partitionAt + 1024)) {
      bytes.writeUInt32LE((bytes.readUInt32LE(at + 180) | 0x80000000) >>> 0, at + 180)
      seal(bytes, at)
    }
    return {
      bytes,
      says: `x.iso, byte ${sequenceAt + 1024 + 248}: names the block 0, which partition 1 has not`,
    }
  },
  'a metadata file that is no metadata file': () => {
    const { bytes, partitionAt } = small({ file: 'x' }, { metadata: true })
    for (const at of tagsIn(bytes, 261).filter((each) => each < partitionAt + 1024)) {
      bytes[at + 27] = 5
      seal(bytes, at)
    }
    return {
      bytes,
      says: `x.iso, byte ${partitionAt + 27}: expected the metadata file (type 250), found type 5`,
    }
  },
  'a symlink of no components': () => {
    const { bytes, data } = small({ link: { type: 12, bytes: 'not a link' } })
    return { bytes, says: `x.iso, byte ${data.get('link')}: expected the path components of a symlink` }
  },
  'a symlink of a gigabyte': () => {
    const { bytes, entries } = small({ link: { type: 12, pieces: [{ block: 0, length: 0x3ffffe00 }] } })
    const at = entries.get('link')?.at ?? 0
    return { bytes, says: `x.iso, byte ${at + 56}: the file entry tells of a symlink of 1073741312 bytes` }
  },
}

function manyPieces(count: number) {
  return Array.from({ length: count }, (_, i) => ({ block: i % 2 === 0 ? 0 : 2, length: 2048 }))
}

/** Makes the identifier of a folder's one child lead elsewhere. */
function withAddress(
  written: ReturnType<typeof writeUdf>,
  name: string,
  block: number,
  says: string,
): Hostile {
  const { bytes } = written
  const at = tagsIn(bytes, 257).find((each) => {
    const start = each + 38 + bytes.readUInt16LE(each + 36)
    return bytes[each + 18] === 2 && bytes.toString('latin1', start, start + 2) === `\b${name}`
  })
  if (at === undefined) throw new Error(`no identifier of ${name}`)
  bytes.writeUInt32LE(block, at + 24)
  seal(bytes, at)
  return { bytes, says }
}

describe('an image made to hurt', () => {
  test.each(Object.entries(hostile))('%s is refused, and the message has the place', async (_name, make) => {
    const { bytes, says } = make()
    const { nodes, failures, readings } = await walkImage(bytes)
    const troubles = nodes.flatMap(([, { trouble }]) => (trouble ? [trouble.message] : []))
    // A folder that cannot be read is not listed; who asks for it is told.
    const asked = await openDisc(imageOf(bytes))
      .then((disc) => Promise.allSettled(['/a', '/a/b', '/link'].map((path) => disc.find(cleanPath(path)))))
      .catch(() => [])
    const told = asked.flatMap((each) => (each.status === 'rejected' ? [String(each.reason.message)] : []))
    const messages = [...failures.map(({ message }) => message), ...troubles, ...told]
    expect(
      messages.filter((message) => message.includes(says)),
      messages.join('\n'),
    ).not.toEqual([])
    for (const message of messages)
      expect(message).toMatch(/^x\.iso(?:, byte \d+: |: .* at bytes \d+ to \d+)/)
    expect(readings).toBeLessThan(20_000)
  })

  test('one damaged file does not hide its neighbours', async () => {
    const { bytes, entries } = small({ bad: 'x', good: 'y', folder: 'z', 'deep/er': '1' })
    for (const path of ['bad', 'deep'])
      bytes.fill(0, entries.get(path)?.at, (entries.get(path)?.at ?? 0) + 16)
    const disc = await openDisc(imageOf(bytes))
    const listed = await disc.list(cleanPath('/'))
    expect(listed?.map(({ name, trouble }) => [name, trouble?.kind])).toEqual([
      ['bad', 'invalid-data'],
      ['good', undefined],
      ['folder', undefined],
    ])
    await expect(disc.find(cleanPath('/deep/er'))).rejects.toThrow(`x.iso, byte ${entries.get('deep')?.at}: `)
  })

  test('symlinks that double with each step, and a thousand folders in one another, come to an end', async () => {
    const links = Array.from(
      { length: 60 },
      (_, i) => [`l${i}`, { target: `l${i + 1}/../l${i + 1}` }] as const,
    )
    for (const shape of [
      { ...Object.fromEntries(links), 'l60/file': 'x' },
      { [`${'d/'.repeat(1000)}file`]: 'x' },
    ])
      expect((await walkImage(writeUdf({ files: shape }).bytes)).readings).toBeLessThan(3000)
  })

  test('a hundred thousand names for one file are one reading of it', async () => {
    const identifiers = Array.from({ length: 100_000 }, (_, i) => identifier({ name: `n${i}`, block: 2 }))
    const { nodes, failures, readings } = await walkImage(
      writeUdf({ files: { file: 'x' }, identifiers }).bytes,
    )
    expect([nodes.length, failures.length]).toEqual([100_001, 0])
    expect(readings).toBeLessThan(300)
  })
})

describe('the corpus', () => {
  const folder = join(import.meta.dirname, '../../corpus/udf')
  if (process.env.UPDATE_CORPUS) {
    mkdirSync(folder, { recursive: true })
    for (const [name, make] of Object.entries(hostile)) {
      const text = sparseHex(make().bytes)
      if (text.length < 20_000) writeFileSync(join(folder, `${name.replaceAll(' ', '-')}.hex`), text)
    }
  }
  test.each(readdirSync(folder).filter((name) => name.endsWith('.hex')))('%s', async (name) => {
    await walkImage(fromSparseHex(readFileSync(join(folder, name), 'utf8')))
  })
})
