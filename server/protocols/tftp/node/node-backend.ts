import { type Carriage, type Carrier, type Job, type JobResult, maxBlockedMs } from '../transfer/backend.ts'
import type { Waiting } from '../transfer/content.ts'
import { Ports, restMs } from '../transfer/ports.ts'
import { Transfer, type Verdict } from '../transfer/transfer.ts'
import { ackBlock, decodePacket, errorCode, errorPacket, writeDataHeader } from '../wire/packet.ts'
import { wireError } from '../wire/request.ts'
import { PlainPort } from './node-port.ts'

/** How exactly deadlines are kept. One timer looks after all transfers: a timer each would be re-armed per packet. */
const tickMs = 50

/** Transfers over Node's dgram sockets. */
export class PlainCarrier implements Carrier {
  readonly #ports = new Ports<PlainPort>()
  readonly #running = new Set<PlainCarriage>()
  #ticker: NodeJS.Timeout | undefined
  #resting: NodeJS.Timeout | undefined

  carry(job: Job): Carriage {
    const port = this.#ports.pick(
      (one) => one.takes(job),
      () => new PlainPort(job, (broken) => this.#ports.close(broken)),
    )
    const carriage = new PlainCarriage(job, port, () => this.#ended(carriage, port))
    this.#running.add(carriage)
    this.#ticker ??= setInterval(() => this.#tick(), tickMs)
    port.enter(carriage)
    return carriage
  }

  async close(): Promise<void> {
    for (const carriage of this.#running) carriage.abort('server stops')
    clearTimeout(this.#resting)
    this.#ports.rest()
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const carriage of this.#running) carriage.tick(nowMs)
  }

  #ended(carriage: PlainCarriage, port: PlainPort): void {
    this.#running.delete(carriage)
    port.leave(carriage)
    this.#ports.left(port)
    if (this.#running.size > 0) return
    clearInterval(this.#ticker)
    this.#ticker = undefined
    clearTimeout(this.#resting)
    this.#resting = setTimeout(() => this.#ports.rest(), restMs).unref()
  }
}

/** One of them. */
export class PlainCarriage implements Carriage, Waiting {
  readonly job: Job
  readonly #machine: Transfer
  readonly #port: PlainPort
  readonly #ended: () => void
  /** Room for one window. Sent in place, so it is not touched while the kernel has not taken all of it. */
  #window: Buffer
  #unsent = 0
  /** Since when packets have been waiting for room in the socket while it was time to repeat them; 0 for not. */
  #heldMs = 0
  #settled = false
  readonly #onSent = (error: Error | null): void => {
    this.#unsent--
    if (this.#unsent === 0 && this.#heldMs > 0) {
      this.#heldMs = 0
      this.#machine.resume(performance.now())
    }
    if (error && !transient(error)) this.fail(error)
  }

  constructor(job: Job, port: PlainPort, ended: () => void) {
    this.job = job
    this.#port = port
    this.#ended = ended
    const { blksize, windowsize, timeoutMs } = job.agreed
    const oack = job.oack !== undefined
    this.#machine = new Transfer({ size: job.content.size, blksize, windowsize, timeoutMs, oack })
    const packets = Math.min(windowsize, this.#machine.blocks)
    const lastOnly = this.#machine.blocks === 1
    this.#window = Buffer.allocUnsafe(lastOnly ? job.content.size + 4 : packets * (blksize + 4))
    job.content.retain()
  }

  get heardMs(): number {
    return this.#machine.heardMs
  }

  /** The port is open. */
  start(): void {
    if (!this.#settled) this.#obey(this.#machine.start(performance.now()))
  }

  /** There is no port to be had, or no sending from it. */
  fail(error: unknown): void {
    this.#settle({ end: 'failed', bytes: this.#machine.ackedBytes, error })
  }

  abort(reason: string, quietly?: 'quietly'): void {
    if (this.#settled) return
    if (!quietly) this.#answer(errorPacket(errorCode.undefined, reason))
    this.#settle({ end: 'aborted', bytes: this.#machine.ackedBytes, detail: reason })
  }

  tick(nowMs: number): void {
    if (nowMs < this.#machine.deadlineMs) return
    if (this.#unsent > 0) {
      // The client does not have them yet, and is not to blame.
      if (this.#heldMs === 0) this.#heldMs = nowMs
      if (nowMs - this.#heldMs < maxBlockedMs) return
    }
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

  /** A datagram of our client. */
  receive(bytes: Buffer): void {
    if (this.#settled) return
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
    const { content, oack } = this.job
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
    if (this.#unsent > 0) this.#window = Buffer.allocUnsafe(this.#window.length)
    let at = 0
    for (let packet = machine.from; packet <= machine.to; packet++) {
      const position = (packet - 1) * blksize
      const length = Math.min(blksize, size - position)
      writeDataHeader(this.#window, at, packet)
      content.copy(position, length, this.#window, at + 4)
      this.#unsent++
      this.#port.sendPart(this.#window, at, length + 4, this.job, this.#onSent)
      at += length + 4
    }
  }

  #answer(packet: Uint8Array): void {
    this.#port.send(packet, this.job.remotePort, this.job.remoteAddress)
  }

  #settle(result: JobResult): void {
    if (this.#settled) return
    this.#settled = true
    this.job.content.leave(this)
    this.#ended()
    this.job.settled(result)
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
