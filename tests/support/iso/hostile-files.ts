import { changed, changedEntry, type Hostile, small } from './hostile-udf.ts'
import { fieldAt, seal, sectors, shortDescriptorBytes, tags, tagsIn, writeUdf } from './write-udf.ts'

const { allocationExtent: extentField, fileEntry: entryField, tag: tagField } = fieldAt
/** Where an image of `small` has its partition. */
const partitionAt = sectors.partition * 512

/** The greatest length of an extent: an allocation descriptor has 30 bits of length. */
const mostExtentBytes = 0x3fffffff
/** The file type of a symlink (UDF 2.50 2.2.13). */
const symlinkType = 12

/** A file of so many pieces of one block, each with a descriptor in an area of its own. */
const pieces = (count: number) => ({ bytes: 'p'.repeat(count * 512), pieceBlocks: 1, descriptorsEach: 1 })

interface Circle {
  readonly pieceCount: number
  readonly from: number
  readonly to: number
}

/** Makes the allocation extent number `from` of a file continue in number `to`. */
function circle({ pieceCount, from, to }: Circle): Hostile {
  const { bytes } = small({ file: pieces(pieceCount) })
  // The extents are written from the last to the first.
  const extents = tagsIn(bytes, tags.allocationExtent).reverse()
  const at = extents[from] ?? 0
  // Behind the descriptor of a piece follows the one that leads to the next extent.
  const next = at + extentField.area + shortDescriptorBytes
  bytes.writeUInt32LE(((extents[to] ?? 0) - partitionAt) / 512, next + 4)
  seal(bytes, at)
  return { bytes, says: `x.iso, byte ${next}: the allocation descriptors of a file do not end` }
}

/** UDF images that attack a reader with the records of a file. */
export const hostileFiles: Readonly<Record<string, () => Hostile>> = {
  'an allocation extent that continues in itself': () => circle({ pieceCount: 3, from: 0, to: 0 }),
  'allocation extents that continue in each other': () => circle({ pieceCount: 5, from: 2, to: 1 }),
  'an allocation extent that tells of more than it has': () =>
    changed(
      ({ bytes }) => {
        const [at = 0] = tagsIn(bytes, tags.allocationExtent)
        bytes.writeUInt32LE(0xffffffff, at + extentField.areaBytes)
        return {
          at,
          says: `x.iso, byte ${at + extentField.areaBytes}: an allocation extent descriptor has room for ${512 - extentField.area} bytes and claims 4294967295`,
        }
      },
      { file: pieces(3) },
    ),
  'an allocation extent that is none': () =>
    changed(
      ({ bytes }) => {
        const [at = 0] = tagsIn(bytes, tags.allocationExtent)
        bytes.writeUInt16LE(tags.fileIdentifier, at)
        return {
          at,
          says: `x.iso, byte ${at}: expected an allocation extent descriptor (tag 258), found the tag 257`,
        }
      },
      { file: pieces(3) },
    ),
  'a file that lies outside of the image': () => {
    const { bytes } = small({ file: { pieces: [{ block: 0xffffffff, length: 2048 }] } })
    const at = partitionAt + 0xffffffff * 512
    return { bytes, says: `x.iso: file lies at bytes ${at} to ${at + 2048}` }
  },
  'a file that ends outside of the image': () => {
    const { bytes } = small({ file: { pieces: [{ block: 0, length: mostExtentBytes }] } })
    return { bytes, says: `x.iso: file lies at bytes ${partitionAt} to ${partitionAt + mostExtentBytes}` }
  },
  'a file of more bytes than numbers are exact for': () => {
    const { bytes, entries } = small({ file: { bytes: 'x', size: 2n ** 64n - 1n } })
    const at = entries.get('file')?.at ?? 0
    return {
      bytes,
      says: `x.iso, byte ${at + entryField.size}: the file entry claims a file of 18446744073709551615 bytes`,
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
    return {
      bytes,
      says: `x.iso, byte ${at + entryField.size}: the file entry holds 1 bytes of a file of 400`,
    }
  },
  'a file with a hole': () => {
    const hole = { block: 0, length: mostExtentBytes, kind: 2 } // not recorded
    const { bytes, entries } = small({ file: { pieces: [hole] } })
    const at = (entries.get('file')?.at ?? 0) + entryField.area
    return {
      bytes,
      says: `x.iso, byte ${at}: a file has a hole of ${mostExtentBytes} bytes, which is not read`,
    }
  },
  'a file in a partition that is not there': () => {
    const { bytes, entries } = small({ file: { bytes: 'x', allocation: 'long' } })
    const at = entries.get('file')?.at ?? 0
    const descriptor = at + entryField.area
    bytes.writeUInt16LE(9, descriptor + 8)
    seal(bytes, at)
    return { bytes, says: `x.iso, byte ${descriptor}: names the partition 9, but the volume has 1` }
  },
  'a file of seventy thousand pieces': () => {
    const { bytes } = writeUdf({
      files: { file: { pieces: manyPieces(70_000), descriptorsEach: 200 } },
    })
    return { bytes, says: 'a file is in more than 65536 pieces' }
  },
  'a folder whose files share sixty thousand pieces': () => {
    const shared = { pieces: manyPieces(60_000), descriptorsEach: 200 }
    // The descriptors are read again for each of 9 files: more than the half million that a folder may cost.
    const copies = 8
    const names = Array.from({ length: copies }, (_, i) => [`f${i + 1}`, 'x'] as const)
    const { bytes, entries } = writeUdf({ files: { f0: shared, ...Object.fromEntries(names) } })
    const from = entries.get('f0')?.at ?? 0
    for (let i = 1; i <= copies; i++) {
      const { at = 0, block = 0 } = entries.get(`f${i}`) ?? {}
      bytes.copy(bytes, at, from, from + 2048)
      seal(bytes, at, block)
    }
    return { bytes, says: 'all files of its folder are in too many' }
  },
  'a file entry whose parts do not fit into its block': () =>
    changedEntry((bytes, at) => {
      bytes.writeUInt32LE(0xfffffff0, at + entryField.attributeBytes)
      return `x.iso, byte ${at + entryField.attributeBytes}: the file entry has 4294967280 bytes of attributes and 8 of allocation descriptors`
    }),
  'a file entry with descriptors of a forbidden kind': () =>
    changedEntry((bytes, at) => {
      bytes.writeUInt16LE(2, at + entryField.flags)
      return `x.iso, byte ${at + entryField.flags}: expected allocation descriptors of the kind 0, 1 or 3, found 2`
    }),
  'a file entry written in steps': () =>
    changedEntry((bytes, at) => {
      bytes.writeUInt16LE(4096, at + entryField.strategy)
      return `x.iso, byte ${at + entryField.strategy}: the file entry has the ICB strategy 4096`
    }),
  'a file entry of another place': () =>
    changedEntry((bytes, at) => {
      bytes.writeUInt32LE(77, at + tagField.location)
      return `x.iso, byte ${at}: a file entry (UDF) says it lies in block 77, not in `
    }),
  'a file entry of a future version': () => {
    const { bytes, entries } = small({ file: 'x' })
    const { at = 0 } = entries.get('file') ?? {}
    // `seal` would write version 2 again, so the checksum, which is a sum, is corrected by 7 = 9 - 2.
    bytes[at + tagField.version] = 9
    bytes[at + tagField.checksum] = ((bytes[at + tagField.checksum] ?? 0) + 7) & 0xff
    return { bytes, says: `x.iso, byte ${at}: a file entry (UDF) is of version 9` }
  },
  'a file entry with a wrong checksum': () => {
    const { bytes, entries } = small({ file: 'x' })
    const { at = 0 } = entries.get('file') ?? {}
    bytes[at + tagField.checksum] = (bytes[at + tagField.checksum] ?? 0) ^ 1
    return { bytes, says: `x.iso, byte ${at}: a file entry (UDF) has the checksum ` }
  },
  'a file entry with a wrong CRC': () => {
    const { bytes, entries } = small({ file: 'x' })
    const { at = 0 } = entries.get('file') ?? {}
    bytes[at + entryField.gid] = 1
    return { bytes, says: `x.iso, byte ${at}: a file entry (UDF) has the CRC ` }
  },
  'a symlink of no components': () => {
    const { bytes, data } = small({ link: { type: symlinkType, bytes: 'not a link' } })
    return { bytes, says: `x.iso, byte ${data.get('link')}: expected the path components of a symlink` }
  },
  'a symlink of a gigabyte': () => {
    const length = 0x3ffffe00 // whole blocks
    const { bytes, entries } = small({ link: { type: symlinkType, pieces: [{ block: 0, length }] } })
    const at = entries.get('link')?.at ?? 0
    return {
      bytes,
      says: `x.iso, byte ${at + entryField.size}: the file entry claims a symlink of ${length} bytes`,
    }
  },
}

/**
 * Pieces of one block in turn at two places, so that none continues the one before. With `descriptorsEach: 200`,
 * the short descriptors in a file entry fill nearly all of its 2048 bytes.
 */
function manyPieces(count: number) {
  return Array.from({ length: count }, (_, i) => ({ block: i % 2 === 0 ? 0 : 2, length: 2048 }))
}
