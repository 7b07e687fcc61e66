/** Transfers at once on one port. Each has one window under way, so that their ACKs always find room in the socket. */
const maxTransfers = 256
/**
 * Transfers that a port carries in its life. Then another one, with another number, takes over: RFC 1350 section 4 wants
 * numbers that are not soon met again.
 */
const lifetime = 1024
/** Ports that are kept for the next transfer though they have none. A boot ROM that always asks from one port needs some. */
const maxIdle = 4

/**
 * Who uses a port of ours that many transfers share. To a client the port is its transfer's identifier, as RFC 1350
 * section 4 has it; we tell the transfers apart by where a packet comes from. A socket each costs more than a small file.
 *
 * Who has been here does not come again: a last ACK that comes twice must not hit the next transfer of a boot ROM that
 * always asks from the same port, nor be answered with an ERROR, which that ROM would take for its answer.
 */
export class Tenants<Key, Transfer> {
  readonly #here = new Map<Key, Transfer>()
  readonly #left = new Set<Key>()

  get size(): number {
    return this.#here.size
  }

  /** Whether the port has carried as many as it shall. */
  get spent(): boolean {
    return this.#here.size + this.#left.size >= lifetime
  }

  /** Whether a transfer with this client can be told apart here from all that are and were. */
  takes(key: Key): boolean {
    return this.#here.size < maxTransfers && !this.spent && !this.#here.has(key) && !this.#left.has(key)
  }

  enter(key: Key, transfer: Transfer): void {
    this.#here.set(key, transfer)
  }

  leave(key: Key): void {
    if (this.#here.delete(key)) this.#left.add(key)
  }

  find(key: Key): Transfer | undefined {
    return this.#here.get(key)
  }

  hasLeft(key: Key): boolean {
    return this.#left.has(key)
  }

  [Symbol.iterator](): Iterator<Transfer> {
    return this.#here.values()
  }
}

export interface Port {
  /** Transfers on their way. */
  readonly size: number
  readonly spent: boolean
  close(): void
}

/** The open ports of a carrier. */
export class Ports<P extends Port> {
  #open: readonly P[] = []

  get open(): readonly P[] {
    return this.#open
  }

  pick(takes: (port: P) => boolean, make: () => P): P {
    const found = this.#open.find(takes)
    if (found) return found
    const port = make()
    this.#open = [...this.#open, port]
    return port
  }

  /** A transfer has ended on this port. */
  left(port: P): void {
    if (port.size > 0) return
    if (port.spent) this.close(port)
    const idle = this.#open.filter((one) => one.size === 0)
    for (const one of idle.slice(0, Math.max(0, idle.length - maxIdle))) this.close(one)
  }

  /** Closes those that have no transfer. */
  rest(): void {
    for (const port of this.#open) if (port.size === 0) this.close(port)
  }

  close(port: P): void {
    if (!this.#open.includes(port)) return
    this.#open = this.#open.filter((one) => one !== port)
    port.close()
  }
}

/** How long ports without a transfer are kept for the next one. */
export const restMs = 2000
