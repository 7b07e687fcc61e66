import { createServer, type Server, type Socket } from 'node:net'
import { plainAddress } from '../../core/net/address.ts'
import { Connection } from './connection.ts'
import type { Caller, RpcReply } from './dispatch.ts'

/** How many connections are open at once. Linux opens one for each mount, or up to sixteen (`nconnect`). */
export interface ConnectionLimits {
  readonly connections: number
  readonly perClient: number
}

export const defaultConnectionLimits: ConnectionLimits = { connections: 2048, perClient: 128 }

/** What the TCP and UDP sockets call: for each message, for junk from a client, for errors of their own. */
export interface TransportHooks {
  /** Resolves to the reply to a message; undefined when no reply is sent. */
  handle(message: Buffer, caller: Caller): Promise<RpcReply | undefined>
  noise(address: string, reason: string): void
  trouble(message: string): void
}

/** The listening TCP socket of a port, and its connections. */
export class TcpListenSocket {
  readonly #server: Server
  readonly #limits: ConnectionLimits
  readonly #hooks: TransportHooks
  readonly #connections = new Map<Socket, Connection>()
  readonly #perClient = new Map<string, number>()

  constructor(hooks: TransportHooks, limits: ConnectionLimits = defaultConnectionLimits) {
    this.#hooks = hooks
    this.#limits = limits
    this.#server = createServer({ allowHalfOpen: false }, (socket) => this.#accept(socket))
  }

  get connections(): number {
    return this.#connections.size
  }

  /**
   * Resolves to the port. Rejects with the system's error: by its code the caller decides whether to try another
   * port. (The listeners of HTTP and FTP use `listenTcp` of ../listener.ts, which rejects with a Failure.)
   */
  open(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) => this.#hooks.trouble(error.message))
        const bound = this.#server.address()
        resolve(bound && typeof bound === 'object' ? bound.port : port)
      })
    })
  }

  /** Takes no more connections. */
  refuseNew(): void {
    this.#server.close()
  }

  /** Gives running calls up to `graceMs` for their replies, then closes everything. */
  async close(cut: AbortSignal = AbortSignal.abort()): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    const onCut = (): void => this.#destroyAll()
    if (cut.aborted) onCut()
    cut.addEventListener('abort', onCut)
    await Promise.all(
      [...this.#connections].map(async ([socket, connection]) => {
        await Promise.race([connection.finish(), new Promise((resolve) => socket.once('close', resolve))])
        socket.destroy()
      }),
    )
    cut.removeEventListener('abort', onCut)
    this.#destroyAll()
    await closed
  }

  #destroyAll(): void {
    for (const socket of this.#connections.keys()) socket.destroy()
  }

  #accept(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? '')
    const ofClient = this.#perClient.get(address) ?? 0
    if (this.#connections.size >= this.#limits.connections || ofClient >= this.#limits.perClient) {
      this.#hooks.noise(
        address,
        `too many connections: ${this.#connections.size} are open, ${ofClient} of them from this client`,
      )
      socket.destroy()
      return
    }
    const caller: Caller = {
      who: { protocol: 'nfs', address, localAddress: plainAddress(socket.localAddress ?? '') },
      transport: 'tcp',
    }
    this.#perClient.set(address, ofClient + 1)
    socket.once('close', () => {
      this.#connections.delete(socket)
      const left = (this.#perClient.get(address) ?? 1) - 1
      if (left === 0) this.#perClient.delete(address)
      else this.#perClient.set(address, left)
    })
    this.#connections.set(
      socket,
      new Connection(
        socket,
        (record) => this.#hooks.handle(record, caller),
        (reason) => this.#hooks.noise(address, reason),
      ),
    )
  }
}
