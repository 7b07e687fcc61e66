import type { CarryMessage } from './native-transfer.ts'
import { type PortMeans, SharedPort } from './shared-port.ts'

/** Ports that are kept for the next transfer though they have none. A boot ROM that always asks from one port needs some. */
const maxIdle = 4

/** The thread's ports: finds one for each transfer, and opens and closes them. */
export class SharedPorts {
  readonly #means: PortMeans
  readonly #byFd = new Map<number, SharedPort>()
  #open: readonly SharedPort[] = []

  constructor(means: PortMeans) {
    this.#means = means
  }

  get open(): readonly SharedPort[] {
    return this.#open
  }

  find(fd: number): SharedPort | undefined {
    return this.#byFd.get(fd)
  }

  /** @throws Error when there is no socket to be had. */
  for(message: CarryMessage): SharedPort {
    const found = this.#open.find((port) => port.takes(message))
    if (found) return found
    const port = new SharedPort(message, this.#means)
    this.#byFd.set(port.fd, port)
    this.#open = [...this.#open, port]
    return port
  }

  /** A transfer has ended on this port. */
  left(port: SharedPort): void {
    if (port.size > 0) return
    if (port.spent) this.#close(port)
    const idle = this.#open.filter((one) => one.size === 0)
    for (const one of idle.slice(0, Math.max(0, idle.length - maxIdle))) this.#close(one)
  }

  /** Closes those that have no transfer. */
  rest(): void {
    for (const port of this.#open) if (port.size === 0) this.#close(port)
  }

  #close(port: SharedPort): void {
    port.close()
    this.#byFd.delete(port.fd)
    this.#open = this.#open.filter((one) => one !== port)
  }
}
