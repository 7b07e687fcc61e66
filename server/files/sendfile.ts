import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { bindLibc, type Libc } from '../host/koffi.ts'
import { type SendContext, type Span, sendParts } from './send.ts'
import type { OpenFile } from './source.ts'

/**
 * The most bytes for one call of sendfile: enough that calls are rare, and so few that a cold disk blocks a
 * pool thread only briefly.
 */
const callBytes = 1024 * 1024
/**
 * When the socket is full, Node itself writes this many bytes: the callback of that write comes when there is
 * room again.
 */
const waitBytes = 16 * 1024
/**
 * Every call ends at a page boundary. A file in an ISO may begin inside a page. Without this limit every call
 * would end inside a page, and the next call would have to touch that page again.
 */
const pageBytes = 4096
/** Spans shorter than this are sent from the buffer pool, which is as quick for them. */
const worthwhileBytes = 256 * 1024

/**
 * Sends a span of a file to a socket. It uses sendfile(2) where possible (Linux, the optional package koffi,
 * a file on disk, no TLS), and buffers of the pool otherwise. With sendfile(2) the bytes never enter this
 * process; with many clients that saves half of all work.
 *
 * The calls run in the thread pool, because a page that is not in memory blocks them. The socket is
 * non-blocking, so a call ends when the socket is full. Node then writes one small piece, and its callback
 * comes when the client has made room. So no thread waits for a slow client.
 *
 * Resolves to false when the client is gone. Rejects like `sendParts`.
 */
export async function sendSpan(
  span: Span,
  file: OpenFile,
  out: Socket,
  context: SendContext,
): Promise<boolean> {
  const native = span.length < worthwhileBytes ? undefined : nativeCalls()
  const socketFd = descriptorOf(out)
  const { descriptor } = file
  if (!native || socketFd === undefined || !descriptor) return sendParts([span], file, out, context)
  // The call gets a duplicate of the descriptor. When the client goes away during a call, Node closes its own
  // descriptor, and another socket may get the same number.
  const copy = native.dup(socketFd)
  if (copy < 0) return sendParts([span], file, out, context)
  try {
    for (let done = 0; done < span.length; ) {
      const position = descriptor.offset + span.from + done
      const asked = Math.min(callBytes - (position % pageBytes), span.length - done)
      const moved = await native.send(copy, descriptor.fd, position, asked)
      if (out.destroyed) return false
      if (moved > 0) {
        done += moved
        context.onBytes(moved)
        if (moved === asked) continue
      }
      // The socket is full, the client is gone, or the file was cut. Node's write and read find out which.
      const pastBoundary = (descriptor.offset + span.from + done) % pageBytes
      const piece = { from: span.from + done, length: Math.min(waitBytes - pastBoundary, span.length - done) }
      if (!(await sendParts([piece], file, out, context))) return false
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
  /** Resolves to the number of bytes moved; 0 at the end of the file; -1 for an error or a full socket. */
  send(out: number, file: number, position: number, length: number): Promise<number>
}

let native: Native | undefined | 'not tried' = 'not tried'

function nativeCalls(): Native | undefined {
  if (native === 'not tried') native = bindLibc(bindCalls)
  return native
}

function bindCalls(libc: Libc): Native {
  const dup = libc.func('int dup(int fd)')
  const close = libc.func('int close(int fd)')
  const sendfile = libc.func('int64_t sendfile64(int out, int in, _In_ int64_t *offset, size_t count)')
  return {
    dup: (fd) => dup(fd),
    close: (fd) => void close(fd),
    send: (out, file, position, length) =>
      new Promise((resolve, reject) => {
        // koffi makes a pointer of `[position]`. The offset that the call writes there is not needed.
        sendfile.async(out, file, [position], length, (error: Error | null, moved: number) =>
          error ? reject(error) : resolve(moved),
        )
      }),
  }
}

/** Node's descriptor of a socket. Undefined for TLS, which must see the bytes. */
function descriptorOf(socket: Socket): number | undefined {
  if (socket instanceof TLSSocket) return undefined
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: number } | null }
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined
}
