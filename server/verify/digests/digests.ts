import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { DigestAlgorithm } from '../../core/tree/tree.ts'
import type { Entry } from '../../files/source.ts'

/** Digests in lower-case hex. */
export type Digests = Readonly<Partial<Record<DigestAlgorithm, string>>>

const pieceBytes = 1 << 20

/** Computes digests of a stream of bytes, on the event loop. `onPiece` may throw to stop it. */
export async function digestPieces(
  pieces: AsyncIterable<Uint8Array>,
  algorithms: readonly DigestAlgorithm[],
  onPiece: (bytes: number) => void = () => undefined,
): Promise<Digests> {
  const hashes = algorithms.map((name) => [name, createHash(name)] as const)
  for await (const piece of pieces) {
    for (const [, hash] of hashes) hash.update(piece)
    onPiece(piece.length)
  }
  return Object.fromEntries(hashes.map(([name, hash]) => [name, hash.digest('hex')]))
}

/** The digest of a file on the disk, in lower-case hex. */
export async function digestFile(file: string, algorithm: DigestAlgorithm): Promise<string> {
  const hash = createHash(algorithm)
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    // Not larger than the file needs: a mirror's second run hashes thousands of small files.
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(size, pieceBytes)))
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null)
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, bytesRead))
    }
  } finally {
    await handle.close()
  }
}

/** A file's bytes in large pieces. Each piece is valid until the next is asked for. */
export async function* readPieces(entry: Entry): AsyncGenerator<Uint8Array> {
  if (entry.content) {
    yield entry.content
    return
  }
  const file = await entry.open()
  try {
    // Two buffers: the next piece is read while this one is hashed or written. They are not larger than the
    // file needs.
    const length = Math.max(1, Math.min(file.size, pieceBytes))
    const buffers = [Buffer.allocUnsafe(length), Buffer.allocUnsafe(length)] as const
    let position = 0
    let ahead = file.read(buffers[0], 0, length, 0)
    for (let turn = 0; ; turn ^= 1) {
      const bytesRead = await ahead
      if (bytesRead === 0) return
      position += bytesRead
      const piece = (turn === 0 ? buffers[0] : buffers[1]).subarray(0, bytesRead)
      ahead = file.read(turn === 0 ? buffers[1] : buffers[0], 0, length, position)
      // The next turn awaits it, but the caller may take long, or stop: until then nobody handles its error.
      ahead.catch(() => undefined)
      yield piece
    }
  } finally {
    await file.close()
  }
}
