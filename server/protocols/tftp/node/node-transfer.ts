import {
  maxSendBlockedMs,
  type RunningTransfer,
  type TransferJob,
  type TransferResult,
} from '../transfer/backend.ts'
import type { FileBufferWaiter } from '../transfer/file-buffer.ts'
import { Transfer, type TransferAction } from '../transfer/transfer.ts'
import { errorCode, errorPacket, errorReply } from '../wire/error.ts'
import { ackBlock, decodePacket, writeDataHeader } from '../wire/packet.ts'
import type { NodePort, PortUser } from './node-port.ts'

/** One transfer over a dgram socket: does what its state machine (transfer/transfer.ts) says. */
export class NodeTransfer implements RunningTransfer, PortUser, FileBufferWaiter {
  readonly job: TransferJob
  readonly #machine: Transfer
  readonly #port: NodePort
  readonly #onOver: () => void
  /** The packets of one window. Node sends from here, so it must not change while blocks are unsent. */
  #window: Buffer
  #unsentBlocks = 0
  /** Since when the window is due to be repeated but blocks are still unsent; 0 when that is not so. */
  #blockedSinceMs = 0
  #over = false

  constructor(job: TransferJob, port: NodePort, onOver: () => void) {
    this.job = job
    this.#port = port
    this.#onOver = onOver
    const { blksize, windowsize, timeoutMs } = job.agreed
    const oack = job.oack !== undefined
    this.#machine = new Transfer({ size: job.file.size, blksize, windowsize, timeoutMs, oack })
    const { blocks } = this.#machine
    const windowBytes = Math.min(windowsize, blocks) * (blksize + 4)
    this.#window = Buffer.allocUnsafe(blocks === 1 ? job.file.size + 4 : windowBytes)
    job.file.acquire()
  }

  get lastPacketMs(): number {
    return this.#machine.lastPacketMs
  }

  start(): void {
    if (!this.#over) this.#act(this.#machine.start(performance.now()))
  }

  fail(error: unknown): void {
    this.#end({ end: 'failed', bytes: this.#machine.ackedBytes, error })
  }

  abort(reason: string): void {
    if (!this.#over) this.#send(errorPacket(errorCode.undefined, reason))
    this.drop(reason)
  }

  drop(reason: string): void {
    this.#end({ end: 'aborted', bytes: this.#machine.ackedBytes, detail: reason })
  }

  tick(nowMs: number): void {
    if (nowMs < this.#machine.deadlineMs) return
    if (this.#unsentBlocks > 0) {
      // The blocks have not left this machine yet, so the client is not late.
      if (this.#blockedSinceMs === 0) this.#blockedSinceMs = nowMs
      if (nowMs - this.#blockedSinceMs < maxSendBlockedMs) return
    }
    this.#act(this.#machine.timer(nowMs))
  }

  moreRead(): void {
    if (!this.#over) this.#sendPackets()
  }

  readFailed(error: unknown): void {
    if (this.#over) return
    const { code, text } = errorReply(error)
    this.#send(errorPacket(code, text))
    this.fail(error)
  }

  receive(bytes: Buffer): void {
    if (this.#over) return
    const block = ackBlock(bytes)
    if (block >= 0) this.#act(this.#machine.ack(block, performance.now()))
    else this.#receiveError(bytes)
  }

  readonly onBlockSent = (error: Error | null): void => {
    this.#unsentBlocks--
    if (this.#unsentBlocks === 0 && this.#blockedSinceMs > 0) {
      this.#blockedSinceMs = 0
      this.#machine.restartTimer(performance.now())
    }
    if (error && !countsAsLost(error)) this.fail(error)
  }

  #receiveError(bytes: Buffer): void {
    const packet = decodePacket(bytes)
    if (packet.type !== 'error') return
    const end = this.#machine.error(packet.code) === 'probed' ? 'probed' : 'aborted'
    const detail = `client: ${packet.message || `error ${packet.code}`}`
    this.#end({ end, bytes: this.#machine.ackedBytes, detail })
  }

  #act(action: TransferAction): void {
    switch (action) {
      case 'wait':
        return
      case 'send':
        this.#sendPackets()
        return
      case 'done':
      case 'probed':
      case 'aborted':
      case 'silent':
      case 'unconfirmed':
        this.#end({ end: action, bytes: this.#machine.ackedBytes })
    }
  }

  #sendPackets(): void {
    const machine = this.#machine
    const { file, oack } = this.job
    if (machine.lastToSend === 0) {
      if (oack) this.#send(oack)
      return
    }
    file.discardBefore(machine.ackedBytes)
    if (!file.ready(Math.min(machine.lastToSend * machine.blksize, machine.size), this)) {
      machine.stopTimer()
      return
    }
    // The timer may have stood still while the file was read.
    machine.restartTimer(performance.now())
    this.#sendWindow()
  }

  #sendWindow(): void {
    const { firstToSend, lastToSend, blksize, size } = this.#machine
    const { file } = this.job
    // Node still sends from the old window: write into a new one.
    if (this.#unsentBlocks > 0) this.#window = Buffer.allocUnsafe(this.#window.length)
    let at = 0
    for (let packet = firstToSend; packet <= lastToSend; packet++) {
      const position = (packet - 1) * blksize
      const length = Math.min(blksize, size - position)
      writeDataHeader(this.#window, at, packet)
      file.copy(position, length, this.#window, at + 4)
      this.#unsentBlocks++
      this.#port.sendBlock(this.#window, at, length + 4, this)
      at += length + 4
    }
  }

  #send(packet: Uint8Array): void {
    this.#port.send(packet, this.job.remotePort, this.job.remoteAddress)
  }

  #end(result: TransferResult): void {
    if (this.#over) return
    this.#over = true
    this.job.file.release(this)
    this.#onOver()
    this.job.onEnd({ ...result, retries: this.#machine.retries })
  }
}

/**
 * Whether a packet that could not be sent counts as lost on the way, and will be repeated: a queue is full,
 * or the network is away for a moment.
 */
function countsAsLost(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return (
    code === 'ENOBUFS' ||
    code === 'EAGAIN' ||
    code === 'ENETUNREACH' ||
    code === 'EHOSTUNREACH' ||
    code === 'ECONNREFUSED' ||
    code === 'EPERM' // a packet filter of this machine has dropped it
  )
}
