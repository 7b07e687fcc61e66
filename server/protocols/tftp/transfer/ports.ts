/**
 * Our UDP ports, which many transfers share. A socket for each transfer would cost more than sending a small
 * file.
 *
 * To a client, our port is the transfer identifier (TID, RFC 1350 section 4). We tell the transfers on one
 * port apart by the client's address and port.
 */

/**
 * The most running transfers on one port. Each has at most one unacknowledged window, so all ACKs fit the
 * receive buffer.
 */
const maxTransfers = 256
/**
 * The most transfers that a port carries in its life. Then another port replaces it: RFC 1350 section 4 wants
 * identifiers that are not soon used again.
 */
const maxTransfersEver = 1024
/**
 * The most idle ports that are kept for the next transfers. A boot ROM that sends all requests from one port
 * needs several.
 */
const maxIdlePorts = 4
/** How long idle ports are kept. */
export const idlePortMs = 2000

/**
 * The transfers of one port, by their peer: a client's address and port. Each peer gets a port of ours only
 * once.
 *
 * A boot ROM may send all its requests from one port. When its last ACK comes twice, the second must not
 * reach its next transfer. Nor must we reply to it with an ERROR, which the ROM would take for the reply to
 * its next request.
 */
export class TransfersByPeer<Key, Transfer> {
  readonly #running = new Map<Key, Transfer>()
  readonly #ended = new Set<Key>()

  get size(): number {
    return this.#running.size
  }

  /** Whether the port has carried as many transfers as it may. */
  get exhausted(): boolean {
    return this.#running.size + this.#ended.size >= maxTransfersEver
  }

  /**
   * Whether a transfer with this peer may run on this port. Nothing that the peer sends to the port can then
   * be meant for another transfer.
   */
  accepts(key: Key): boolean {
    return (
      this.#running.size < maxTransfers && !this.exhausted && !this.#running.has(key) && !this.#ended.has(key)
    )
  }

  add(key: Key, transfer: Transfer): void {
    this.#running.set(key, transfer)
  }

  remove(key: Key): void {
    if (this.#running.delete(key)) this.#ended.add(key)
  }

  find(key: Key): Transfer | undefined {
    return this.#running.get(key)
  }

  /** Whether a transfer with this peer has ended here. */
  hadPeer(key: Key): boolean {
    return this.#ended.has(key)
  }

  [Symbol.iterator](): Iterator<Transfer> {
    return this.#running.values()
  }
}

export interface TransferPort {
  /** The number of running transfers. */
  readonly size: number
  readonly exhausted: boolean
  close(): void
}

/** The open ports of a backend. */
export class PortPool<Port extends TransferPort> {
  #open: readonly Port[] = []

  get open(): readonly Port[] {
    return this.#open
  }

  /** An open port that accepts the transfer, or a new port. */
  pick(accepts: (port: Port) => boolean, openPort: () => Port): Port {
    const found = this.#open.find(accepts)
    if (found) return found
    const port = openPort()
    this.#open = [...this.#open, port]
    return port
  }

  /**
   * A transfer on this port has ended. Closes ports that are exhausted and idle ports beyond the few that are
   * kept.
   */
  transferEnded(port: Port): void {
    if (port.size > 0) return
    if (port.exhausted) this.close(port)
    const idle = this.#open.filter((each) => each.size === 0)
    for (const each of idle.slice(0, Math.max(0, idle.length - maxIdlePorts))) this.close(each)
  }

  closeIdle(): void {
    for (const port of this.#open) if (port.size === 0) this.close(port)
  }

  close(port: Port): void {
    if (!this.#open.includes(port)) return
    this.#open = this.#open.filter((each) => each !== port)
    port.close()
  }
}
