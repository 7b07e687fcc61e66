import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { Failure } from '../../core/failure.ts'
import type { Carriage, Carrier, Job, JobResult } from './carrier.ts'
import type { Waiting } from './content.ts'
import { ackBlock, decodePacket, errorCode, errorPacket, writeDataHeader } from './packet.ts'
import { wireError } from './request.ts'
import { Transfer, type Verdict } from './transfer.ts'

/** How exactly deadlines are kept. One timer looks after all transfers: a timer each would be re-armed per packet. */
const tickMs = 50

/** Transfers over Node's dgram sockets, each from a port of its own (RFC 1350 section 4). */
export class PlainCarrier implements Carrier {
  readonly #running = new Set<PlainCarriage>()
  #ticker: NodeJS.Timeout | undefined

  carry(job: Job): Carriage {
    const carriage = new PlainCarriage(job, () => this.#ended(carriage))
    this.#running.add(carriage)
    this.#ticker ??= setInterval(() => this.#tick(), tickMs)
    carriage.open()
    return carriage
  }

  async close(): Promise<void> {
    for (const carriage of this.#running) carriage.abort('server stops')
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const carriage of this.#running) carriage.tick(nowMs)
  }

  #ended(carriage: PlainCarriage): void {
    this.#running.delete(carriage)
    if (this.#running.size > 0) return
    clearInterval(this.#ticker)
    this.#ticker = undefined
  }
}

class PlainCarriage implements Carriage, Waiting {
  readonly #job: Job
  readonly #machine: Transfer
  readonly #socket: Socket
  readonly #ended: () => void
  /** Room for one window. Sent in place, so it is not touched while the kernel has not taken all of it. */
  #window: Buffer
  #unsent = 0
  #settled = false
  readonly #onSent = (error: Error | null): void => {
    this.#unsent--
    if (error && !transient(error)) this.#settle({ end: 'failed', bytes: this.#machine.ackedBytes, error })
  }

  constructor(job: Job, ended: () => void) {
    this.#job = job
    this.#ended = ended
    const { blksize, windowsize, timeoutMs } = job.agreed
    const oack = job.oack !== undefined
    this.#machine = new Transfer({ size: job.content.size, blksize, windowsize, timeoutMs, oack })
    const packets = Math.min(windowsize, this.#machine.blocks)
    const lastOnly = this.#machine.blocks === 1
    this.#window = Buffer.allocUnsafeSlow(lastOnly ? job.content.size + 4 : packets * (blksize + 4))
    // The address is a literal: answering at once keeps the packet out of the resolver and its detour.
    const lookup = (host: string, _: unknown, done: (e: null, address: string, family: number) => void) =>
      done(null, host, job.family)
    this.#socket = createSocket({ type: job.family === 6 ? 'udp6' : 'udp4', lookup: lookup as never })
  }

  get heardMs(): number {
    return this.#machine.heardMs
  }

  open(): void {
    const socket = this.#socket
    this.#job.content.retain()
    socket.on('message', (bytes, from) => this.#received(bytes, from))
    socket.on('error', (error) =>
      this.#settle({
        end: 'failed',
        bytes: 0,
        error: new Failure('unavailable', error.message, { cause: error }),
      }),
    )
    socket.bind({ address: this.#job.localAddress, port: 0 }, () => {
      if (!this.#settled) this.#obey(this.#machine.start(performance.now()))
    })
  }

  abort(reason: string, quietly?: 'quietly'): void {
    if (this.#settled) return
    if (!quietly) this.#answer(errorPacket(errorCode.undefined, reason))
    this.#settle({ end: 'aborted', bytes: this.#machine.ackedBytes, detail: reason })
  }

  tick(nowMs: number): void {
    this.#obey(this.#machine.timer(nowMs))
  }

  arrived(): void {
    if (!this.#settled) this.#send()
  }

  failed(error: unknown): void {
    if (this.#settled) return
    const wire = wireError(error)
    this.#answer(errorPacket(wire.code, wire.text))
    this.#settle({ end: 'failed', bytes: this.#machine.ackedBytes, error })
  }

  #received(bytes: Buffer, from: RemoteInfo): void {
    const { remotePort, remoteAddress } = this.#job
    if (this.#settled) return
    if (from.port !== remotePort || from.address !== remoteAddress) {
      // RFC 1350 section 4: a stranger is told so, and the transfer goes on undisturbed. An ERROR is never answered.
      if (bytes[1] !== 5) this.#answer(errorPacket(errorCode.unknownTransfer, 'unknown transfer ID'), from)
      return
    }
    const block = ackBlock(bytes)
    if (block >= 0) this.#obey(this.#machine.ack(block, performance.now()))
    else this.#refused(bytes)
  }

  #refused(bytes: Buffer): void {
    const packet = decodePacket(bytes)
    if (packet.type !== 'error') return
    const end = this.#machine.error(packet.code)
    const detail = `client: ${packet.message || `error ${packet.code}`}`
    this.#settle({ end: end === 'probed' ? end : 'aborted', bytes: this.#machine.ackedBytes, detail })
  }

  #obey(verdict: Verdict): void {
    switch (verdict) {
      case 'wait':
        return
      case 'send':
        this.#send()
        return
      case 'done':
      case 'probed':
      case 'aborted':
      case 'silent':
        this.#settle({ end: verdict, bytes: this.#machine.ackedBytes })
    }
  }

  #send(): void {
    const machine = this.#machine
    const { content, oack } = this.#job
    if (machine.to === 0) {
      if (oack) this.#answer(oack)
      return
    }
    const { blksize, size } = machine
    content.release(machine.ackedBytes)
    if (!content.ready(Math.min(machine.to * blksize, size), this)) {
      machine.hold()
      return
    }
    machine.resume(performance.now())
    if (this.#unsent > 0) this.#window = Buffer.allocUnsafeSlow(this.#window.length)
    let at = 0
    for (let packet = machine.from; packet <= machine.to; packet++) {
      const position = (packet - 1) * blksize
      const length = Math.min(blksize, size - position)
      writeDataHeader(this.#window, at, packet)
      content.copy(position, length, this.#window, at + 4)
      this.#unsent++
      this.#socket.send(
        this.#window,
        at,
        length + 4,
        this.#job.remotePort,
        this.#job.remoteAddress,
        this.#onSent,
      )
      at += length + 4
    }
  }

  #answer(packet: Uint8Array, to?: RemoteInfo): void {
    try {
      this.#socket.send(
        packet,
        to?.port ?? this.#job.remotePort,
        to?.address ?? this.#job.remoteAddress,
        () => undefined,
      )
    } catch {
      // A socket that is not bound yet or is closed already has nothing to say any more.
    }
  }

  #settle(result: JobResult): void {
    if (this.#settled) return
    this.#settled = true
    this.#job.content.leave(this)
    // Node sends what has been given to the socket before it closes it, if that is still waiting.
    setImmediate(() => closeQuietly(this.#socket))
    this.#ended()
    this.#job.settled(result)
  }
}

/** A full queue or a network that is briefly away: the packet counts as lost on the way, and is sent again in time. */
function transient(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return (
    code === 'ENOBUFS' ||
    code === 'EAGAIN' ||
    code === 'ENETUNREACH' ||
    code === 'EHOSTUNREACH' ||
    code === 'ECONNREFUSED' ||
    code === 'EPERM'
  )
}

function closeQuietly(socket: Socket): void {
  try {
    socket.close()
  } catch {
    // Closed already, or never bound.
  }
}
