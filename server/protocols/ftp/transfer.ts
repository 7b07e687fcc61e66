import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type FailureKind, failureKind, failureMessage } from '../../core/failure.ts'
import { failureReply, reply } from './reply.ts'
import type { Session } from './session.ts'

/** A transfer that is under way. */
export interface Transfer {
  /** What STAT tells about it. */
  readonly title: string
  bytes: number
  /** Ends it: the data connection is closed and the client is told 426. */
  abort(): void
}

export interface TransferResult {
  readonly outcome: 'complete' | 'aborted' | 'failed'
  readonly kind?: FailureKind
  readonly detail?: string
  readonly bytes: number
}

/** Moves the bytes; resolves to whether all of them went through. `moved` is to be called as they do. */
export type Work = (socket: Socket, moved: (count: number) => void) => Promise<boolean>

/**
 * One transfer from its first reply to its last (RFC 959 section 5.4): 150, or 425 without a data connection; then 226,
 * 426 when either side broke it off, or the reply that fits what went wrong.
 */
export async function carry(session: Session, title: string, work: Work): Promise<TransferResult> {
  const { means } = session
  if (!session.data.isArranged) {
    session.reply(425, 'No data connection was arranged; send EPSV, PASV, EPRT or PORT first')
    return { outcome: 'failed', kind: 'bad-request', detail: 'no data connection was arranged', bytes: 0 }
  }
  if (session.abortAsked) {
    session.reply(426, 'Aborted')
    return { outcome: 'aborted', bytes: 0 }
  }
  let aborted = false
  let socket: Socket | undefined
  const transfer: Transfer = {
    title,
    bytes: 0,
    abort() {
      aborted = true
      session.data.close()
      socket?.destroy()
    },
  }
  const end = (text: string, result: Omit<TransferResult, 'bytes'>): TransferResult => {
    session.transfer = undefined
    session.send(text)
    return { ...result, bytes: transfer.bytes }
  }
  session.transfer = transfer
  try {
    socket = await session.data.take()
  } catch (error) {
    const text = aborted ? reply(426, 'Aborted') : reply(425, 'No data connection came about')
    return end(text, { outcome: 'aborted', detail: failureMessage(error) })
  }
  if (aborted) socket.destroy()
  else session.reply(150, title)
  const data = prepare(socket, session)
  socket = data
  try {
    const complete = await work(data, (count) => {
      transfer.bytes += count
      data.setTimeout(means.limits.stallMs) // sendfile moves bytes that the socket does not count
    })
    if (!complete || aborted)
      return end(reply(426, 'The data connection broke; the transfer is not complete'), {
        outcome: 'aborted',
      })
    await finish(data)
    return end(reply(226, 'Transfer complete'), { outcome: 'complete' })
  } catch (error) {
    data.destroy()
    const kind = failureKind(error)
    const detail = failureMessage(error)
    if (!aborted) return end(failureReply(error), { outcome: 'failed', kind, detail })
    return end(reply(426, 'Aborted'), { outcome: 'aborted', detail })
  }
}

/** The socket of the bytes: wrapped in TLS after `PROT P`, and with a limit on standing still. */
function prepare(plain: Socket, session: Session): Socket {
  const { secure, limits } = session.means
  const socket =
    session.protectsData && secure ? new TLSSocket(plain, { isServer: true, secureContext: secure }) : plain
  socket.on('error', () => {}) // 'close' follows, and says enough
  socket.setTimeout(limits.stallMs)
  socket.on('timeout', () => socket.destroy())
  return socket
}

/** Sends our FIN after the last byte. What the client may still send is thrown away, so that its FIN is seen. */
function finish(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
    socket.resume()
    socket.end(() => resolve())
  })
}
