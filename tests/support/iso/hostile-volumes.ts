import {
  changed,
  changedEntry,
  changedIdentifier,
  changedVolume,
  type Hostile,
  small,
  withAddress,
} from './hostile-udf.ts'
import { seal, tagsIn } from './write-udf.ts'

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
      bytes.writeUInt32LE(0xffffffff, at + 56)
      return `x.iso, byte ${at + 56}: the file entry claims a folder of 4294967295 bytes`
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
      return `x.iso, byte ${at + 248}: names the partition 65535, but the volume has 1`
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
      return `x.iso, byte ${at}: a file identifier descriptor says it has 296 bytes, but the folder has 40`
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
      return `x.iso, byte ${202 * 512 + 440}: the volume has a partition 0, which no partition descriptor describes`
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
      says: `x.iso, byte ${sequenceAt + 1024 + 248}: names the block 0, which partition 1 does not have`,
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
}
