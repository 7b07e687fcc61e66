import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/**
 * Reads the bytes of a file from position `start` to its end. A source that can only be read from its
 * beginning skips the bytes before `start`.
 */
export type BytesFrom = (start: number) => AsyncIterable<Uint8Array>

/** Files up to this size are small: several are copied at once. */
export const smallBytes = 8 << 20

/** A file is synced each time this many bytes were written. */
const markBytes = 32 << 20

/**
 * Writes a file of `size` bytes. A file of 128 MiB or more resumes after those bytes of an interrupted run
 * that are certainly on the disk. Resolves to the length of the file at the end.
 */
export async function writeResumable(
  file: string,
  size: number,
  bytesFrom: BytesFrom,
  signal?: AbortSignal,
): Promise<number> {
  const canResume = durableBytes(size) > 0
  const flags =
    constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | (canResume ? 0 : constants.O_TRUNC)
  const handle = await open(file, flags, 0o644)
  try {
    const start = canResume ? await cutToDurable(handle, size) : 0
    return await writeFrom(handle, start, bytesFrom(start), signal)
  } finally {
    await handle.close()
  }
}

/**
 * Writes from `start` on, and resolves to the end position. After each `markBytes` a sync begins. It is
 * awaited only at the next mark, so that reading and writing continue meanwhile.
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
      // A failure is thrown where `syncing` is awaited. Until then it must not count as unhandled.
      syncing.catch(() => undefined)
      nextMark = position + markBytes
    }
  } finally {
    await syncing
  }
  return position
}

/**
 * Truncates the file of an interrupted run to the bytes that are certainly on the disk. Resolves to its
 * length. The complete file has `size` bytes.
 */
async function cutToDurable(handle: FileHandle, size: number): Promise<number> {
  const found = (await handle.stat()).size
  const start = found > size ? 0 : durableBytes(found)
  await handle.truncate(start)
  return start
}

/**
 * How many of `size` written bytes survive a crash of the machine: all but the last three times `markBytes`.
 * Two of these may not be synced: one is being written, and the sync of the other still runs. The third is
 * there because each mark may come a piece late.
 */
function durableBytes(size: number): number {
  return Math.max(0, Math.floor(size / markBytes) - 3) * markBytes
}
