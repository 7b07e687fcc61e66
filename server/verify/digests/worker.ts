import { createHash } from 'node:crypto'
import { closeSync, fstatSync, constants as modes, openSync, readSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { failureMessage } from '../../core/failure.ts'
import { etagOf } from '../../files/disk.ts'
import { isAtSync } from '../../host/descriptor.ts'
import type { Digests } from './digests.ts'
import type { HashReply, HashRequest, HashWorkerData } from './message.ts'

/**
 * A thread that reads files and computes their digests. It has no other work, so it reads synchronously, and
 * spends nearly all its time on computing digests.
 */
const { stop } = workerData as HashWorkerData
// Services come first. On Linux the priority is that of this thread; elsewhere it would be that of the whole
// process.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
const buffer = Buffer.allocUnsafeSlow(512 * 1024)
/** How many bytes are read between two messages of progress. */
const progressBytes = 16 * 1024 * 1024

function hash(request: HashRequest): HashReply {
  const { id, file, etag } = request
  // NONBLOCK: a pipe that took the file's place would keep the thread waiting for a writer.
  const fd = openSync(file, modes.O_RDONLY | modes.O_NOFOLLOW | modes.O_NONBLOCK)
  try {
    const stats = fstatSync(fd, { bigint: true })
    const found = etagOf(stats)
    // The etag of a file inside an image begins with the image's.
    if (!isAtSync(fd, file) || !stats.isFile() || !(etag === found || etag.startsWith(`${found}-`)))
      return { kind: 'failed', id, message: 'it was replaced while it was being verified' }
    return hashOpenFile(fd, request)
  } finally {
    closeSync(fd)
  }
}

function hashOpenFile(fd: number, { id, offset, size, algorithms }: HashRequest): HashReply {
  const hashes = algorithms.map((name) => [name, createHash(name)] as const)
  let unreported = 0
  for (let at = 0; at < size; ) {
    if (Atomics.load(stop, 0) !== 0) return { kind: 'failed', id, message: 'stopped' }
    const length = readSync(fd, buffer, 0, Math.min(buffer.length, size - at), offset + at)
    if (length === 0) break
    for (const [, each] of hashes) each.update(buffer.subarray(0, length))
    at += length
    unreported += length
    if (unreported < progressBytes) continue
    send({ kind: 'progress', id, bytes: unreported })
    unreported = 0
  }
  const digests: Digests = Object.fromEntries(hashes.map(([name, each]) => [name, each.digest('hex')]))
  return { kind: 'done', id, bytes: unreported, digests }
}

function send(reply: HashReply): void {
  parentPort?.postMessage(reply)
}

parentPort?.on('message', (request: HashRequest) => {
  try {
    send(hash(request))
  } catch (error) {
    send({ kind: 'failed', id: request.id, message: failureMessage(error) })
  }
})
