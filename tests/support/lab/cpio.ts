/**
 * One member of a cpio archive in the `newc` form, the only one that kernels unpack (Linux
 * `Documentation/driver-api/early-userspace/buffer-format.rst`).
 */
export interface CpioMember {
  /** Without a leading slash. */
  readonly name: string
  /** File type and permissions, as in stat(2). */
  readonly mode: number
  /** The bytes of a file or the target of a symlink; empty for folders and devices. */
  readonly data: Buffer
  /** Device numbers, for devices only. */
  readonly device?: { readonly major: number; readonly minor: number }
}

export const fileMode = 0o100644
export const programMode = 0o100755
export const folderMode = 0o040755
export const linkMode = 0o120777
export const charDeviceMode = 0o020600

const magic = '070701'
/** The magic, and 13 numbers of eight hexadecimal digits each. */
const headerLength = 110
/** Which of the 13 a number is, from 0. Major and minor are of the device that the member is. */
const fieldAt = { mode: 1, size: 6, major: 9, minor: 10, nameSize: 11 } as const
const trailer = 'TRAILER!!!'

/** The members of an uncompressed archive. Throws when it is not an archive, or is cut short. */
export function decodeCpio(bytes: Buffer): CpioMember[] {
  const members: CpioMember[] = []
  for (let at = 0; ; ) {
    const header = bytes.toString('latin1', at, at + headerLength)
    if (!/^070701[0-9a-f]{104}$/i.test(header)) throw new Error(`no cpio header at byte ${at}`)
    const field = (index: number) => Number.parseInt(header.slice(6 + index * 8, 14 + index * 8), 16)
    const size = field(fieldAt.size)
    const nameEnd = at + headerLength + field(fieldAt.nameSize)
    const name = bytes.toString('utf8', at + headerLength, nameEnd - 1)
    if (name === trailer) return members
    const start = align(nameEnd)
    const device = { major: field(fieldAt.major), minor: field(fieldAt.minor) }
    members.push({
      name: name.replace(/^\.?\/+/, ''),
      mode: field(fieldAt.mode),
      data: bytes.subarray(start, start + size),
      ...(device.major + device.minor > 0 ? { device } : {}),
    })
    at = align(start + size)
  }
}

export function encodeCpio(members: readonly CpioMember[]): Buffer {
  const end: CpioMember = { name: trailer, mode: 0, data: Buffer.alloc(0) }
  return Buffer.concat([...members, end].flatMap((member, index) => encodeMember(member, index)))
}

function encodeMember({ name, mode, data, device }: CpioMember, inode: number): Buffer[] {
  const nameBytes = Buffer.from(`${name}\0`)
  const numbers = {
    inode,
    mode,
    uid: 0,
    gid: 0,
    links: 1,
    mtime: 0,
    size: data.length,
    fileSystemMajor: 0,
    fileSystemMinor: 0,
    major: device?.major ?? 0,
    minor: device?.minor ?? 0,
    nameSize: nameBytes.length,
    checksum: 0,
  }
  const fields = Object.values(numbers).map((value) => value.toString(16).padStart(8, '0'))
  const head = Buffer.concat([Buffer.from(magic + fields.join('')), nameBytes])
  return [head, padding(head.length), data, padding(data.length)]
}

function padding(length: number): Buffer {
  return Buffer.alloc(align(length) - length)
}

function align(offset: number): number {
  return (offset + 3) & ~3
}
