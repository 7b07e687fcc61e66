import {
  changed,
  changedEntry,
  changedIdentifier,
  changedVolume,
  type Hostile,
  small,
  withAddress,
} from './hostile-udf.ts'
import { fieldAt, seal, sectors, tags, tagsIn } from './write-udf.ts'

const {
  anchor: anchorField,
  fileEntry: entryField,
  fileIdentifier: identifierField,
  fileSet: fileSetField,
  logicalVolume: logicalField,
  partition: partitionField,
  tag: tagField,
} = fieldAt
/** The position of a sector of `small`. */
const sectorAt = (sector: number) => sector * 512
/** The logical volume descriptor is the third of its sequence. */
const logicalVolumeAt = sectorAt(sectors.main + 2)

/** The file entries of the metadata file and its mirror: the first two blocks of the partition. */
const metadataEntries = (bytes: Buffer, partitionAt: number): number[] =>
  tagsIn(bytes, tags.fileEntry).filter((at) => at < partitionAt + sectorAt(2))

/** UDF images that attack a reader with their folders or their volume descriptors. */
export const hostileVolumes: Readonly<Record<string, () => Hostile>> = {
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
      bytes.writeUInt32LE(0xffffffff, at + entryField.size)
      return `x.iso, byte ${at + entryField.size}: the file entry claims a folder of 4294967295 bytes`
    }, 'a/b'),
  'a folder that is longer than what it holds': () =>
    changedEntry((bytes, at) => {
      // The size, and the length of the only allocation descriptor.
      const size = bytes.readUInt32LE(at + entryField.size)
      for (const field of [entryField.size, entryField.area]) bytes.writeUInt32LE(size + 4, at + field)
      return `expected a file identifier descriptor of at least 38 bytes, found 4`
    }, 'a/b'),
  'a root that is a file': () =>
    changed(({ bytes, fileSetAt, entries }) => {
      const root = fileSetAt + fileSetField.root
      bytes.writeUInt32LE(entries.get('a/b/file')?.block ?? 0, root + 4)
      return {
        at: fileSetAt,
        says: `x.iso, byte ${root}: expected the file entry of the root folder`,
      }
    }),
  'a file set in a partition that is not there': () =>
    changedVolume(tags.logicalVolume, (bytes, at) => {
      const fileSet = at + logicalField.fileSet
      bytes.writeUInt16LE(0xffff, fileSet + 8)
      return `x.iso, byte ${fileSet}: names the partition 65535, but the volume has 1`
    }),
  'a file set that is none': () =>
    changedVolume(tags.logicalVolume, (bytes, at) => {
      // Block 1 of the partition has the file entry of the root.
      bytes.writeUInt32LE(1, at + logicalField.fileSet + 4)
      return `x.iso, byte ${sectorAt(sectors.partition + 1)}: expected a file set descriptor (tag 256), found the tag 261`
    }),
  'a name longer than its folder': () =>
    changedIdentifier((bytes, at) => {
      bytes[at + identifierField.nameLength] = 255
      // 38 bytes and the name, up to a multiple of 4, are 296. The identifier of `a` is the last, and has 40.
      // A CRC over more bytes than the folder has, which readers ignore.
      bytes.writeUInt16LE(64, at + tagField.crcLength)
      return `x.iso, byte ${at}: a file identifier descriptor says it has 296 bytes, but the folder has 40`
    }),
  'implementation use longer than its folder': () =>
    changedIdentifier((bytes, at) => {
      bytes.writeUInt16LE(0xffff, at + identifierField.useLength)
      return `x.iso, byte ${at}: a file identifier descriptor says it has `
    }),
  'a name of an unknown kind': () =>
    changedIdentifier((bytes, at) => {
      bytes[at + identifierField.name] = 9
      return `x.iso, byte ${at + identifierField.name}: expected a name of 8 or 16 bits a character, found the kind 9 and 2 bytes`
    }),
  'a name cut in the middle of a character': () =>
    changedIdentifier((bytes, at) => {
      bytes[at + identifierField.name] = 16
      return `x.iso, byte ${at + identifierField.name}: expected a name of 8 or 16 bits a character, found the kind 16 and 2 bytes`
    }),
  'a file identifier with a wrong checksum': () =>
    changedIdentifier(
      (bytes, at) => {
        bytes[at + tagField.checksum] = (bytes[at + tagField.checksum] ?? 0) ^ 1
        return `x.iso, byte ${at}: a file identifier descriptor has the checksum `
      },
      { checksums: 'left' },
    ),
  'a file identifier with a wrong CRC': () =>
    changedIdentifier(
      (bytes, at) => {
        bytes[at + identifierField.icb] = (bytes[at + identifierField.icb] ?? 0) ^ 1
        return `x.iso, byte ${at}: a file identifier descriptor has the CRC `
      },
      { checksums: 'left' },
    ),
  'anchors with wrong checksums': () => {
    const { bytes } = small({ file: 'x' })
    for (const at of tagsIn(bytes, tags.anchor))
      bytes[at + tagField.checksum] = (bytes[at + tagField.checksum] ?? 0) ^ 1
    // Sector 256 in sectors of 2048 bytes, the first size that is tried.
    return { bytes, says: 'x.iso, byte 524288: expected the anchor of a UDF volume' }
  },
  'anchors that point out of the image': () => {
    const { bytes } = small({ file: 'x' })
    for (const at of tagsIn(bytes, tags.anchor)) {
      for (const field of [anchorField.main, anchorField.reserve]) bytes.writeUInt32LE(0xffffffff, at + field)
      seal(bytes, at)
    }
    return {
      bytes,
      says: `x.iso, byte ${sectorAt(0xffffffff)}: expected a volume descriptor (UDF) of 512 bytes`,
    }
  },
  'a sequence without a volume': () =>
    changedVolume(tags.logicalVolume, (bytes, at) => {
      bytes.writeUInt16LE(tags.implementationUse, at)
      return `x.iso, byte ${sectorAt(sectors.main)}: expected a logical volume descriptor (tag 6)`
    }),
  'a sequence that leads to itself': () => {
    const { bytes, sequenceAt } = small({ file: 'x' }, { continued: true })
    // The main sequence begins with a pointer. Each sequence gets a copy of it that points at itself.
    for (const sector of [sectors.main, sectors.reserve]) {
      const at = sectorAt(sector)
      bytes.copy(bytes, at, sequenceAt, sequenceAt + 512)
      bytes.writeUInt32LE(sector, at + fieldAt.volumePointer.next)
      seal(bytes, at, sector)
    }
    return {
      bytes,
      says: `x.iso, byte ${sequenceAt}: the volume descriptor sequence has more than 256 descriptors`,
    }
  },
  'blocks of no size': () =>
    changedVolume(tags.logicalVolume, (bytes, at) => {
      bytes.writeUInt32LE(0, at + logicalField.blockBytes)
      return `x.iso, byte ${at + logicalField.blockBytes}: expected logical blocks of 512 bytes, as the sectors are, found 0`
    }),
  'four billion partition maps': () =>
    changedVolume(tags.logicalVolume, (bytes, at) => {
      bytes.writeUInt32LE(0xffffffff, at + logicalField.mapCount)
      // The only map has 6 bytes.
      return `x.iso, byte ${at + logicalField.maps + 6}: expected partition map 2 of 4294967295`
    }),
  'a table of partition maps without end': () =>
    changedVolume(tags.logicalVolume, (bytes, at) => {
      bytes.writeUInt32LE(0xffffffff, at + logicalField.mapBytes)
      // The descriptor has 512 bytes, and the maps begin at 440.
      return `x.iso, byte ${at + logicalField.mapBytes}: expected partition maps of at most 72 bytes, found 4294967295`
    }),
  'a partition map of no length': () =>
    changedVolume(tags.logicalVolume, (bytes, at) => {
      // A map begins with its type and its length.
      bytes[at + logicalField.maps + 1] = 0
      return `x.iso, byte ${at + logicalField.maps}: expected partition map 1 of 1, of type 1 and 6 bytes or type 2 and 64 bytes; found type 1 and 0 bytes`
    }),
  'a partition that nobody tells of': () =>
    changedVolume(tags.partition, (bytes, at) => {
      bytes.writeUInt16LE(5, at + partitionField.number)
      return `x.iso, byte ${logicalVolumeAt + logicalField.maps}: the volume has a partition 0, which no partition descriptor describes`
    }),
  'a partition that begins behind the image': () =>
    changedVolume(tags.partition, (bytes, at) => {
      bytes.writeUInt32LE(0xffffffff, at + partitionField.start)
      return `x.iso, byte ${sectorAt(0xffffffff)}: expected a file set descriptor of 512 bytes`
    }),
  'a metadata partition that lies in itself': () => {
    const { bytes, partitionAt } = small({ file: 'x' }, { metadata: true })
    for (const at of metadataEntries(bytes, partitionAt)) {
      // The first allocation descriptor of each points at block 0, the file entry of the metadata file.
      bytes.writeUInt32LE(0, at + entryField.area + 4)
      seal(bytes, at)
    }
    return {
      bytes,
      says: `x.iso, byte ${partitionAt}: expected a file set descriptor (tag 256), found the tag 261`,
    }
  },
  'a metadata partition that is not there': () => {
    const { bytes, partitionAt } = small({ file: 'x' }, { metadata: true })
    bytes.fill(0, partitionAt, partitionAt + sectorAt(2))
    return {
      bytes,
      says: `x.iso, byte ${partitionAt}: expected a file entry (UDF) (tag 261 or 266), found the tag 0`,
    }
  },
  'a metadata partition with a hole where the root is': () => {
    const { bytes, partitionAt } = small({ file: 'x' }, { metadata: true })
    for (const at of metadataEntries(bytes, partitionAt)) {
      // The two upper bits of the length become 2: not recorded.
      bytes.writeUInt32LE((bytes.readUInt32LE(at + entryField.area) | 0x80000000) >>> 0, at + entryField.area)
      seal(bytes, at)
    }
    return {
      bytes,
      says: `x.iso, byte ${logicalVolumeAt + logicalField.fileSet}: names the block 0, which partition 1 does not have`,
    }
  },
  'a metadata file that is no metadata file': () => {
    const { bytes, partitionAt } = small({ file: 'x' }, { metadata: true })
    for (const at of metadataEntries(bytes, partitionAt)) {
      bytes[at + entryField.type] = 5 // an ordinary file
      seal(bytes, at)
    }
    return {
      bytes,
      says: `x.iso, byte ${partitionAt + entryField.type}: expected the metadata file (type 250), found type 5`,
    }
  },
}
