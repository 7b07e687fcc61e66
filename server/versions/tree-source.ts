import { type FileHandle, open } from 'node:fs/promises'
import { diskSource } from '../files/disk.ts'
import { isoSource } from '../files/iso/source.ts'
import type { FileSource } from '../files/source.ts'
import type { VersionRecord } from './record.ts'

/** The files of a tree, be it a folder or an image. */
export async function openTree(path: string, kind: VersionRecord['kind']): Promise<FileSource> {
  return kind === 'iso' ? isoSource(path) : diskSource(path)
}

/** ISO 9660 writes `CD001` into the volume descriptor at sector 16, and UDF `BEA01`, whatever the file is called. */
export async function isDiscImage(file: string): Promise<boolean> {
  let handle: FileHandle | undefined
  try {
    handle = await open(file, 'r')
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(6), 0, 6, 16 * 2048)
    return bytesRead === 6 && ['CD001', 'BEA01'].includes(buffer.toString('latin1', 1, 6))
  } finally {
    await handle?.close()
  }
}
