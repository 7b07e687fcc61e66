import { constants, gunzipSync } from 'node:zlib'
import { kernelArchs, kernelParts } from '../../core/tree/kernel-header.ts'
import type { Entry, OpenFile } from '../../files/source.ts'

/** A compressed kernel shows its header after this many bytes; they unpack to 1 MiB at most. */
const packedBytes = 1024

/**
 * Reads the architectures that the header of a kernel leaves possible. None for a file that cannot be read: whatever
 * reads all of it will say why.
 */
export async function archsOfKernel(entry: Entry): Promise<readonly string[]> {
  const file = await entry.open().catch(() => undefined)
  if (!file) return []
  try {
    const head = unpacked(await readPart(file, kernelParts.head))
    const archs = kernelArchs(head)
    return archs.length > 0 ? archs : kernelArchs(head, await readPart(file, kernelParts.s390))
  } catch {
    return []
  } finally {
    await file.close()
  }
}

/** The bytes of one part of a file: fewer, or none, where the file is shorter. */
async function readPart(file: OpenFile, part: { offset: number; bytes: number }): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, Math.min(part.bytes, file.size - part.offset)))
  let filled = 0
  while (filled < bytes.length) {
    const got = await file.read(bytes, filled, bytes.length - filled, part.offset + filled)
    if (got === 0) break
    filled += got
  }
  return bytes.subarray(0, filled)
}

/** The beginning of what a gzip file holds (`Image.gz` of arm64 and RISC-V); any other bytes as they are. */
function unpacked(head: Uint8Array): Uint8Array {
  if (head[0] !== 0x1f || head[1] !== 0x8b) return head
  return gunzipSync(head.subarray(0, packedBytes), { finishFlush: constants.Z_SYNC_FLUSH })
}
