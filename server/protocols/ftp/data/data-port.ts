import { randomInt } from 'node:crypto'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Failure } from '../../../core/failure.ts'
import { addressWithZone, plainAddress } from '../../../core/net/address.ts'

export interface PortRange {
  readonly from: number
  readonly to: number
}

export interface DataPortOptions {
  /** The control connection: data connections use its two addresses, too. */
  readonly control: Pick<Socket, 'remoteAddress' | 'localAddress'>
  /** Passive ports to choose from; without them, any port. */
  readonly ports?: PortRange | undefined
  readonly connectMs: number
  /** Called when another machine than the client has connected to a passive port. */
  readonly onStranger: (address: string) => void
}

/** The most ports of a range that are tried before PASV is refused. */
const maxPortTries = 256

/**
 * How the next data connection of a session is made, as client and server agreed: the client connects to a
 * port of ours (PASV, EPSV), or we connect to a port of the client's (PORT, EPRT). Each agreement is good for
 * one transfer; a new agreement replaces it.
 *
 * A stranger who reaches a passive port before the client could read or replace the client's file (RFC 2577
 * section 4). So the port is random, and takes only one connection, from the address of the control
 * connection.
 */
export class DataPort {
  readonly #options: DataPortOptions
  /**
   * The client's address, and the address of ours that it connected to. A link-local address is of use only
   * with its zone (`%eth0`).
   */
  readonly #clientAddress: string
  readonly #localAddress: string
  #server: Server | undefined
  #arrived: Socket | undefined
  #clientPort: number | undefined
  /** Set while `take` waits: the connection has come to our port, or `close` cancelled the agreement. */
  #onArrival: ((socket: Socket) => void) | undefined
  #onClose: (() => void) | undefined

  constructor(options: DataPortOptions) {
    this.#options = options
    this.#clientAddress = addressWithZone(options.control.remoteAddress ?? '')
    this.#localAddress = addressWithZone(options.control.localAddress ?? '')
  }

  get isArranged(): boolean {
    return Boolean(this.#server || this.#arrived || this.#clientPort)
  }

  /** Opens a passive port and resolves to its number. Rejects with `unavailable` when no port is free. */
  async listen(): Promise<number> {
    this.close()
    for (const port of portsToTry(this.#options.ports)) {
      const server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(server, socket))
      const bound = await bind(server, this.#localAddress, port)
      if (bound === undefined) continue
      this.#server = server
      return bound
    }
    throw new Failure('unavailable', 'every passive port is in use')
  }

  /** Agrees on a port of the client's, which the caller has checked. */
  connectTo(port: number): void {
    this.close()
    this.#clientPort = port
  }

  /** Resolves to the connection, for one transfer. Rejects with `unavailable` when it is not made in time. */
  async take(): Promise<Socket> {
    const socket = await (this.#clientPort ? this.#connect(this.#clientPort) : this.#accepted())
    this.#arrived = undefined
    this.close()
    return socket
  }

  /** Cancels the agreement. A socket that a transfer has taken stays open. */
  close(): void {
    this.#server?.close()
    this.#server = undefined
    this.#arrived?.destroy()
    this.#arrived = undefined
    this.#clientPort = undefined
    this.#onClose?.()
  }

  #accept(server: Server, socket: Socket): void {
    socket.on('error', () => {}) // 'close' follows, and the transfer handles that
    const address = addressWithZone(socket.remoteAddress ?? '')
    if (server !== this.#server || this.#arrived) return void socket.destroy()
    if (address !== this.#clientAddress) {
      socket.destroy()
      return void this.#options.onStranger(plainAddress(address))
    }
    this.#arrived = socket
    server.close()
    this.#server = undefined
    this.#onArrival?.(socket)
  }

  #accepted(): Promise<Socket> {
    if (this.#arrived) return Promise.resolve(this.#arrived)
    return new Promise((resolve, reject) => {
      const settle = (socket?: Socket): void => {
        clearTimeout(timer)
        this.#onArrival = undefined
        this.#onClose = undefined
        if (socket) resolve(socket)
        else reject(new Failure('unavailable', 'no data connection came to the passive port'))
      }
      const timer = setTimeout(settle, this.#options.connectMs)
      this.#onArrival = settle
      this.#onClose = settle
    })
  }

  #connect(port: number): Promise<Socket> {
    const host = this.#clientAddress
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, localAddress: this.#localAddress })
      const settle = (error?: Error): void => {
        clearTimeout(timer)
        this.#onClose = undefined
        socket.off('connect', settle)
        if (!error) return void resolve(socket)
        socket.destroy()
        reject(new Failure('unavailable', `no data connection to ${host} port ${port}: ${error.message}`))
      }
      const timer = setTimeout(() => settle(new Error('no reply in time')), this.#options.connectMs)
      this.#onClose = () => settle(new Error('cancelled'))
      socket.once('connect', settle)
      socket.on('error', settle)
    })
  }
}

/** Every port of the range once, beginning at a random one; 0 lets the system choose. */
function* portsToTry(range: PortRange | undefined): Generator<number> {
  if (!range) return yield 0
  const count = range.to - range.from + 1
  const first = randomInt(count)
  for (let i = 0; i < Math.min(count, maxPortTries); i++) yield range.from + ((first + i) % count)
}

/** Binds the server; undefined when the port is in use. */
function bind(server: Server, host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined))
    server.listen({ host, port, backlog: 16 }, () => {
      server.on('error', () => {}) // without a free descriptor, the client waits until its own timeout
      const bound = server.address()
      resolve(bound && typeof bound === 'object' ? bound.port : undefined)
    })
  })
}
