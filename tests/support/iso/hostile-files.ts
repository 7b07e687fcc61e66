import { changed, changedEntry, type Hostile, small } from './hostile-udf.ts'
import { seal, tagsIn, writeUdf } from './write-udf.ts'

const pieces = (count: number) => ({ bytes: 'p'.repeat(count * 512), pieceBlocks: 1, descriptorsEach: 1 })

/** Makes the allocation extent number `from` continue in number `to`. */
function circle(count: number, from: number, to: number): Hostile {
  const { bytes, partitionAt } = small({ file: pieces(count) })
  // The extents are written from the last to the first.
  const extents = tagsIn(bytes, 258).reverse()
  const at = extents[from] ?? 0
  bytes.writeUInt32LE(((extents[to] ?? 0) - partitionAt) / 512, at + 24 + 8 + 4)
  seal(bytes, at)
  return { bytes, says: `x.iso, byte ${at + 32}: the allocation descriptors of a file do not end` }
}

/** UDF images that attack a reader with the records of a file. */
export const hostileFiles: Readonly<Record<string, () => Hostile>> = {
  'an allocation extent that continues in itself': () => circle(3, 0, 0),
  'allocation extents that continue in each other': () => circle(5, 2, 1),
  'an allocation extent that tells of more than it has': () =>
    changed(
      ({ bytes }) => {
        const [at = 0] = tagsIn(bytes, 258)
        bytes.writeUInt32LE(0xffffffff, at + 20)
        return {
          at,
          says: `x.iso, byte ${at + 20}: an allocation extent descriptor has room for 488 bytes and claims 4294967295`,
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
      says: `x.iso, byte ${at + 56}: the file entry claims a file of 18446744073709551615 bytes`,
    }
  },
  'a file of which the descriptors tell less': () => {
    const { bytes, entries } = small({ file: { bytes: 'x', size: 2 ** 52 } })
    const at = entries.get('file')?.at ?? 0
    return {
      bytes,
      says: `x.iso, byte ${at}: the file entry gives a size of 4503599627370496 bytes, and its allocation descriptors hold 1`,
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
    return { bytes, says: `x.iso, byte ${at + 180}: names the partition 9, but the volume has 1` }
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
      files: { f0: shared, ...Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`f${i + 1}`, 'x'])) },
    })
    const from = entries.get('f0')?.at ?? 0
    for (let i = 1; i <= 17; i++) {
      const { at = 0, block = 0 } = entries.get(`f${i}`) ?? {}
      bytes.copy(bytes, at, from, from + 2048)
      seal(bytes, at, block)
    }
    return { bytes, says: 'all files of its folder are in too many' }
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
  'a symlink of no components': () => {
    const { bytes, data } = small({ link: { type: 12, bytes: 'not a link' } })
    return { bytes, says: `x.iso, byte ${data.get('link')}: expected the path components of a symlink` }
  },
  'a symlink of a gigabyte': () => {
    const { bytes, entries } = small({ link: { type: 12, pieces: [{ block: 0, length: 0x3ffffe00 }] } })
    const at = entries.get('link')?.at ?? 0
    return { bytes, says: `x.iso, byte ${at + 56}: the file entry claims a symlink of 1073741312 bytes` }
  },
}

function manyPieces(count: number) {
  return Array.from({ length: count }, (_, i) => ({ block: i % 2 === 0 ? 0 : 2, length: 2048 }))
}
