import type { RunningTransfer, TransferBackend, TransferJob } from '../transfer/backend.ts'
import { idlePortMs, PortPool } from '../transfer/ports.ts'
import { NodePort } from './node-port.ts'
import { NodeTransfer } from './node-transfer.ts'

/**
 * How often deadlines are checked. One timer serves all transfers: with a timer for each, every packet would
 * have to start it anew.
 */
const tickMs = 50

/** Transfers over Node's dgram sockets. Works on every machine. */
export class NodeBackend implements TransferBackend {
  readonly #ports = new PortPool<NodePort>()
  readonly #running = new Set<NodeTransfer>()
  #ticker: NodeJS.Timeout | undefined
  #idleTimer: NodeJS.Timeout | undefined

  start(job: TransferJob): RunningTransfer {
    const port = this.#ports.pick(
      (open) => open.accepts(job),
      () => new NodePort(job, (broken) => this.#ports.close(broken)),
    )
    const transfer = new NodeTransfer(job, port, () => this.#ended(transfer, port))
    this.#running.add(transfer)
    this.#ticker ??= setInterval(() => this.#tick(), tickMs)
    port.add(transfer)
    return transfer
  }

  async close(): Promise<void> {
    for (const transfer of this.#running) transfer.abort('the server is stopping')
    clearTimeout(this.#idleTimer)
    this.#ports.closeIdle()
  }

  #tick(): void {
    const nowMs = performance.now()
    for (const transfer of this.#running) transfer.tick(nowMs)
  }

  #ended(transfer: NodeTransfer, port: NodePort): void {
    this.#running.delete(transfer)
    port.remove(transfer)
    this.#ports.transferEnded(port)
    if (this.#running.size > 0) return
    clearInterval(this.#ticker)
    this.#ticker = undefined
    clearTimeout(this.#idleTimer)
    this.#idleTimer = setTimeout(() => this.#ports.closeIdle(), idlePortMs).unref()
  }
}
