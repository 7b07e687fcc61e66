import { statfs } from 'node:fs/promises'

/** `statfs(2)` magic numbers of file systems that other machines may write to, too. */
const networkFileSystems = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9P'],
  [0x00c36400, 'Ceph'],
  [0x65735546, 'FUSE'],
])

/** The name of the network file system that a folder lies on. Undefined for a folder of this machine. */
export async function networkFileSystem(folder: string): Promise<string | undefined> {
  const type = await statfs(folder).then(
    (stats) => stats.type,
    () => 0,
  )
  // Node gives numbers above 2^31 as negative ones.
  return networkFileSystems.get(type >>> 0)
}
