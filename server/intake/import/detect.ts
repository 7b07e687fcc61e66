import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Failure } from '../../core/failure.ts'
import { looksLikeIso } from '../../files/iso/source.ts'
import { packingOf, unpacked } from '../../host/unpack.ts'
import { arMagic } from './ar.ts'
import { isTarHeader } from './tar.ts'

export type FileKind = 'iso' | 'tar' | 'deb'

/** How much of the beginning of a file is looked at: a tar header. */
const headBytes = 512

/**
 * Finds the kind of a file by its content.
 *
 * @throws Failure `invalid-data` for a file that cannot hold a tree.
 */
export async function detectFile(file: string): Promise<FileKind> {
  if (await looksLikeIso(file)) return 'iso'
  const head = await firstBytes(file, headBytes)
  if (head.toString('latin1', 0, arMagic.length) === arMagic) return 'deb'
  if (isTarHeader(head)) return 'tar'
  if (packingOf(head) !== 'plain' && isTarHeader(await firstUnpacked(file, headBytes))) return 'tar'
  throw new Failure(
    'invalid-data',
    `${file} is not a disc image (neither CD001 nor BEA01 at byte 32769), a tar archive or a Debian package; it begins with ${showBytes(head)}`,
  )
}

async function firstBytes(file: string, length: number): Promise<Buffer> {
  const handle = await open(file, 'r')
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

async function firstUnpacked(file: string, length: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let got = 0
  try {
    for await (const piece of unpacked(createReadStream(file), file)) {
      parts.push(piece)
      got += piece.length
      if (got >= length) break
    }
  } catch {
    // What cannot be unpacked is not a packed tar archive.
    return Buffer.alloc(0)
  }
  return Buffer.concat(parts).subarray(0, length)
}

function showBytes(head: Buffer): string {
  if (head.length === 0) return 'nothing: it is empty'
  const hex = head.subarray(0, 8).toString('hex')
  return hex.replace(/(..)(?=.)/g, '$1 ')
}
