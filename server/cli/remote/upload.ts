import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Failure, failureMessage } from '../../core/failure.ts'
import { importFolderName } from '../../intake/uploads/import-name.ts'
import { type CliIo, exitCodes } from '../output/io.ts'
import { type ProgressLine, type ProgressMode, progressLine } from '../output/progress.ts'
import type { ApiClient } from './client.ts'
import { type Pauses, usualPauses } from './follow-events.ts'

const pieceBytes = 8 * 1024 * 1024

interface UploadOptions {
  readonly io: CliIo
  readonly mode: ProgressMode
  readonly pauses?: Pauses
}

/**
 * Uploads a file in pieces, and resolves to the path of the upload. A second call goes on where the first one stopped, if
 * the file is the same. Undefined after Ctrl-C.
 */
export async function uploadFile(
  path: string,
  server: ApiClient,
  { io, mode, pauses = usualPauses }: UploadOptions,
): Promise<string | undefined> {
  const file = await open(path)
  const aborter = new AbortController()
  const interrupt = (): void => aborter.abort()
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const line = progressLine(io, mode)
  try {
    const { size, mtimeMs, ino } = await file.stat()
    const upload = `${importFolderName(`${path} ${size} ${mtimeMs} ${ino}`)}/${basename(path)}`
    await sendAll({ file, size, upload, server, line, pauses, signal: aborter.signal })
    return upload
  } catch (error) {
    if (!aborter.signal.aborted) throw error
    line.end()
    io.err(
      '\ninterrupted: what has arrived stays at the server for a while; the same command goes on there\n',
    )
    io.exit(exitCodes.failed)
    return undefined
  } finally {
    line.end()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
    await file.close()
  }
}

interface Sending {
  readonly file: FileHandle
  readonly size: number
  readonly upload: string
  readonly server: ApiClient
  readonly line: ProgressLine
  readonly pauses: Pauses
  readonly signal: AbortSignal
}

/** A piece that does not arrive is sent again: what was acknowledged before it stays. */
async function sendAll(sending: Sending): Promise<void> {
  const { size, upload, server, line, pauses, signal } = sending
  let tries = 0
  let at = await arrived(server, upload)
  while (at === undefined || at < size) {
    signal.throwIfAborted()
    line.show({ stage: 'uploading', doneBytes: at ?? 0, totalBytes: size })
    try {
      at = await sendPiece(at ?? 0, sending)
      tries = 0
    } catch (error) {
      if (!isPassing(error, tries)) throw error
      const waitMs = Math.min(pauses.mostMs, pauses.firstMs * 2 ** tries)
      tries++
      line.retry({ why: failureMessage(error), waitMs })
      await pause(waitMs, undefined, { signal })
    }
  }
}

/** The connection that broke may have the file for a moment. */
const mostConflicts = 10

/** Whether the same piece may be taken later. */
function isPassing(error: unknown, tries: number): boolean {
  if (!(error instanceof Failure)) return false
  if (error.kind === 'conflict') return tries > 0 && tries < mostConflicts
  return error.kind === 'unavailable' || error.kind === 'internal' || error.kind === 'too-many'
}

/** @returns Where the next piece begins. */
async function sendPiece(at: number, { file, size, upload, server }: Sending): Promise<number> {
  const piece = Buffer.alloc(Math.min(pieceBytes, size - at))
  const { bytesRead } = await file.read(piece, 0, piece.length, at)
  if (bytesRead < piece.length) throw new Failure('invalid-data', 'the file became shorter while it was read')
  await server.upload(upload, { piece, from: at, total: size })
  return at + piece.length
}

/** How much of it is there; undefined for nothing. */
async function arrived(server: ApiClient, upload: string): Promise<number | undefined> {
  try {
    const { headers } = await server.exchange('headUpload', { params: { path: upload } })
    return Number(headers.get('upload-offset') ?? 0)
  } catch (error) {
    if (error instanceof Failure && error.kind === 'not-found') return undefined
    // The answer to HEAD has no words. Who may not do this may not do that either, and is told why.
    await server.call('listUploads', {})
    throw error
  }
}
