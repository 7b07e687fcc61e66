import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { BufferPool } from './buffers.ts'
import { type Part, sendParts } from './send.ts'
import type { OpenFile } from './source.ts'

/** Bytes asked of one call: enough to make calls rare, little enough that a cold disk keeps a pool thread only briefly. */
const callBytes = 1024 * 1024
/** What goes through Node's own write when the socket is full, to learn when there is room again. */
const waitBytes = 16 * 1024
/** Every call ends at the end of a page: a file in an ISO begins in the middle of one, and would stay out of step to its end. */
const pageBytes = 4096
/** Below this the ring is as quick. */
const worthwhileBytes = 256 * 1024

/**
 * Sends a span of a file to a socket, by sendfile(2) where that can be had (Linux, the optional package koffi, a file on
 * disk, no TLS), otherwise through the ring. The bytes then never enter this process: with many clients, that is
 * half of all the work.
 *
 * The calls run in the thread pool, for a page that is not in memory makes them wait. The socket is non-blocking, so
 * a call ends when the socket is full; one small piece is then written by Node, whose callback comes when the
 * client has made room. No thread waits for a slow client.
 *
 * Resolves to false when the client is gone. Rejects like `sendParts`.
 */
export async function sendSpan(
  span: Exclude<Part, Uint8Array>,
  file: OpenFile,
  out: Socket,
  pool: BufferPool,
  onBytes: (count: number) => void,
): Promise<boolean> {
  const native = span.length < worthwhileBytes ? undefined : loadNative()
  const socketFd = descriptorOf(out)
  const { descriptor } = file
  if (!native || socketFd === undefined || !descriptor) return sendParts([span], file, out, pool, onBytes)
  // Ours alone: when the client goes away in the middle of a call, Node closes its own, and the number is taken anew.
  const copy = native.dup(socketFd)
  if (copy < 0) return sendParts([span], file, out, pool, onBytes)
  try {
    for (let done = 0; done < span.length; ) {
      const position = descriptor.offset + span.from + done
      const asked = Math.min(callBytes - (position % pageBytes), span.length - done)
      const moved = await native.send(copy, descriptor.fd, position, asked)
      if (out.destroyed) return false
      if (moved > 0) {
        done += moved
        onBytes(moved)
        if (moved === asked) continue
      }
      // Full, the client gone, or the file cut short: Node's write and read know which.
      const odd = (descriptor.offset + span.from + done) % pageBytes
      const piece = { from: span.from + done, length: Math.min(waitBytes - odd, span.length - done) }
      if (!(await sendParts([piece], file, out, pool, onBytes))) return false
      done += piece.length
    }
    return true
  } finally {
    native.close(copy)
  }
}

interface Native {
  dup(fd: number): number
  close(fd: number): void
  /** Bytes moved; 0 at the end of the file; -1 for an error or a full socket. */
  send(out: number, file: number, position: number, length: number): Promise<number>
}

interface NativeFunction {
  (...args: readonly unknown[]): number
  async(...args: readonly unknown[]): void
}

interface Koffi {
  load(library: null): { func(prototype: string): NativeFunction }
}

let native: Native | undefined | 'not tried' = 'not tried'

function loadNative(): Native | undefined {
  if (native === 'not tried') native = process.platform === 'linux' ? tryNative() : undefined
  return native
}

function tryNative(): Native | undefined {
  try {
    const libc = (createRequire(import.meta.url)('koffi') as Koffi).load(null)
    const dup = libc.func('int dup(int fd)')
    const close = libc.func('int close(int fd)')
    const sendfile = libc.func('int64_t sendfile64(int out, int in, _In_ int64_t *offset, size_t count)')
    return {
      dup: (fd) => dup(fd),
      close: (fd) => void close(fd),
      send: (out, file, position, length) =>
        new Promise((resolve, reject) => {
          sendfile.async(out, file, [position], length, (error: Error | null, moved: number) =>
            error ? reject(error) : resolve(moved),
          )
        }),
    }
  } catch {
    return undefined // not installed, or no binary for this processor: the ring does it
  }
}

/** Node's own descriptor of a socket. TLS must see the bytes, so it has none for us. */
function descriptorOf(socket: Socket): number | undefined {
  if (socket instanceof TLSSocket) return undefined
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null }
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined
}
