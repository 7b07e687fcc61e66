import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/**
 * The bytes of a file from this one on. A source that can only be read from its start skips the bytes before.
 */
export type BytesFrom = (start: number) => AsyncIterable<Uint8Array>

/** Files up to this size are copied in one piece; an interrupted copy starts again. */
export const smallBytes = 8 << 20

/** A large file is synced each time so many bytes were written. */
const markBytes = 32 << 20

/**
 * Writes a file of this size. A large one resumes behind the bytes of an interrupted run that are certainly
 * on the disk. Resolves to the bytes that are there in the end.
 */
export async function writeResumable(
  file: string,
  size: number,
  bytesFrom: BytesFrom,
  signal?: AbortSignal,
): Promise<number> {
  const canResume = durableBytes(size) > 0
  const modes = constants.O_WRONLY | constants.O_CREAT | (canResume ? 0 : constants.O_TRUNC)
  const handle = await open(file, modes, 0o644)
  try {
    const start = canResume ? await cutToDurable(handle, size) : 0
    return await writeFrom(handle, start, bytesFrom(start), signal)
  } finally {
    await handle.close()
  }
}

/**
 * Writes from `start` on, and resolves to the position of the end. At each mark the bytes are sent to the
 * disk; the next mark waits for that, so that reading and writing continue meanwhile.
 */
async function writeFrom(
  handle: FileHandle,
  start: number,
  pieces: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<number> {
  let position = start
  let syncing: Promise<void> = Promise.resolve()
  let nextMark = start + markBytes
  try {
    for await (const piece of pieces) {
      signal?.throwIfAborted()
      for (let done = 0; done < piece.length; ) {
        const { bytesWritten } = await handle.write(piece, done, piece.length - done, position)
        done += bytesWritten
        position += bytesWritten
      }
      if (position < nextMark) continue
      await syncing
      syncing = handle.datasync()
      syncing.catch(() => undefined)
      nextMark = position + markBytes
    }
  } finally {
    await syncing
  }
  return position
}

/**
 * Cuts what an interrupted run left of a file of this size to what is certainly on the disk. Resolves to its
 * length.
 */
async function cutToDurable(handle: FileHandle, size: number): Promise<number> {
  const left = (await handle.stat()).size
  const start = left > size ? 0 : durableBytes(left)
  await handle.truncate(start)
  return start
}

/** The bytes that are on the disk even after a crash of the machine: all but the last three marks. */
function durableBytes(size: number): number {
  return Math.max(0, Math.floor(size / markBytes) - 3) * markBytes
}
