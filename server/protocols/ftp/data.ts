import { randomInt } from 'node:crypto'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Failure } from '../../core/failure.ts'
import { type Endpoint, plainAddress } from './addresses.ts'

export interface PortRange {
  readonly from: number
  readonly to: number
}

export interface DataPortOptions {
  /** The client's address: only it may connect, and only it is connected to. */
  readonly peer: string
  /** Our address that it reached; the data connection uses the same. */
  readonly local: string
  /** Passive ports to choose from; without it, any. */
  readonly ports?: PortRange | undefined
  readonly connectMs: number
  /** Somebody else came to a passive port. */
  readonly onStranger: (address: string) => void
}

/** How many ports of a range are tried before PASV is refused. */
const maxPortTries = 256

/**
 * The data connection of a session as it was agreed on: a port of ours that waits for the client (PASV, EPSV) or an
 * address of the client's (PORT, EPRT). Each agreement is good for one transfer; a new one replaces the old.
 *
 * Whoever is quicker than the client at its passive port could read or feed its file (RFC 2577 section 4). So
 * the port is random, takes one connection, and only from the address of the control connection.
 */
export class DataPort {
  readonly #options: DataPortOptions
  #server: Server | undefined
  #arrived: Socket | undefined
  #onArrival: ((socket: Socket) => void) | undefined
  #onClose: (() => void) | undefined
  #endpoint: Endpoint | undefined

  constructor(options: DataPortOptions) {
    this.#options = options
  }

  get isArranged(): boolean {
    return Boolean(this.#server || this.#arrived || this.#endpoint)
  }

  /** Opens a passive port. Rejects with `unavailable` when none is free. */
  async listen(): Promise<number> {
    this.close()
    for (const port of portsToTry(this.#options.ports)) {
      const server = createServer({ pauseOnConnect: true }, (socket) => this.#arrive(server, socket))
      const bound = await bind(server, this.#options.local, port)
      if (bound === undefined) continue
      this.close() // a second PASV may have been quicker
      this.#server = server
      return bound
    }
    throw new Failure('unavailable', 'no passive port is free')
  }

  /** Agrees on an address of the client's, which the caller has checked. */
  dial(endpoint: Endpoint): void {
    this.close()
    this.#endpoint = endpoint
  }

  /** The connection, for one transfer. Rejects with `unavailable` when it does not come about in time. */
  async take(): Promise<Socket> {
    const socket = this.#endpoint ? await this.#connect(this.#endpoint) : await this.#accepted()
    this.#arrived = undefined
    this.close()
    return socket
  }

  /** Ends whatever was agreed on. A socket already taken is not ours any more. */
  close(): void {
    this.#server?.close()
    this.#server = undefined
    this.#arrived?.destroy()
    this.#arrived = undefined
    this.#endpoint = undefined
    this.#onClose?.()
  }

  #arrive(server: Server, socket: Socket): void {
    socket.on('error', () => {}) // 'close' follows, and says enough
    const address = plainAddress(socket.remoteAddress ?? '')
    if (server !== this.#server || this.#arrived) return void socket.destroy()
    if (address !== this.#options.peer) {
      socket.destroy()
      return void this.#options.onStranger(address)
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

  #connect({ address, port }: Endpoint): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: address, port, localAddress: this.#options.local })
      const settle = (error?: Error): void => {
        clearTimeout(timer)
        this.#onClose = undefined
        socket.off('connect', settle)
        if (!error) return void resolve(socket)
        socket.destroy()
        reject(new Failure('unavailable', `no data connection to ${address} port ${port}: ${error.message}`))
      }
      const timer = setTimeout(() => settle(new Error('no answer')), this.#options.connectMs)
      this.#onClose = () => settle(new Error('given up'))
      socket.once('connect', settle)
      socket.on('error', settle)
    })
  }
}

/** Every port of the range once, from a random one on; 0 lets the system choose. */
function* portsToTry(range: PortRange | undefined): Generator<number> {
  if (!range) return yield 0
  const count = range.to - range.from + 1
  const first = randomInt(count)
  for (let i = 0; i < Math.min(count, maxPortTries); i++) yield range.from + ((first + i) % count)
}

/** The port, or undefined when it is taken. */
function bind(server: Server, host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined))
    // A link-local address cannot be bound without its zone, which the socket does not tell.
    server.listen({ host: /^fe80:/i.test(host) ? '::' : host, port, backlog: 16 }, () => {
      server.on('error', () => {}) // out of descriptors: the client runs into its own timeout
      const bound = server.address()
      resolve(bound && typeof bound === 'object' ? bound.port : undefined)
    })
  })
}
