import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import { plainAddress } from '../../core/net/address.ts'
import { familyOf, listenAddresses } from '../listen-addresses.ts'
import type { Caller, RpcReply } from './dispatch.ts'
import { recordMarkBytes } from './record.ts'
import type { TransportHooks } from './tcp.ts'

/** Calls that run at once. Further calls are dropped, and their clients send them again. */
const maxRunning = 256
/** How often we look for addresses that the machine got or lost. */
const recheckMs = 5_000

/** The UDP sockets of one port: one for each of our addresses. */
export class UdpListenSockets {
  readonly #hooks: TransportHooks
  readonly #sockets = new Map<string, Socket>()
  #running = 0
  #recheck: NodeJS.Timeout | undefined

  constructor(hooks: TransportHooks) {
    this.#hooks = hooks
  }

  /**
   * Binds every address that can be bound, and resolves to the port. Rejects with the system's error when no
   * address can be bound, or when the port is taken on one of them.
   */
  async open(bind: string, port: number): Promise<number> {
    const addresses = addressesOf(bind)
    let bound = port
    let lastError: unknown
    for (const address of addresses.length > 0 ? addresses : [bind]) {
      try {
        bound = await this.#listen(address, bound)
      } catch (error) {
        lastError = error
        if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') break
      }
    }
    const inUse = (lastError as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE'
    if (this.#sockets.size === 0 || inUse) {
      this.close()
      throw lastError
    }
    // `bind` is a wildcard, and stands for addresses that come and go.
    if (!this.#sockets.has(bind)) {
      this.#recheck = setInterval(() => void this.#follow(bind, bound), recheckMs)
      this.#recheck.unref()
    }
    return bound
  }

  close(): void {
    clearInterval(this.#recheck)
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
  }

  async #follow(bind: string, port: number): Promise<void> {
    const wanted = new Set(addressesOf(bind))
    for (const [address, socket] of this.#sockets)
      if (!wanted.has(address)) {
        this.#sockets.delete(address)
        socket.close()
      }
    // An address that cannot be bound yet (IPv6, still tentative) is tried again next time.
    for (const address of wanted)
      if (!this.#sockets.has(address)) await this.#listen(address, port).catch(() => undefined)
  }

  #listen(address: string, port: number): Promise<number> {
    const isIpv6 = familyOf(address) === 6
    const socket = createSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6 })
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close()
        reject(error)
      })
      socket.bind({ address, port }, () => {
        socket.removeAllListeners('error')
        socket.on('error', (error) => this.#hooks.trouble(`${address}: ${error.message}`))
        socket.on('message', (bytes, from) => void this.#onMessage(socket, address, bytes, from))
        this.#sockets.set(address, socket)
        resolve(socket.address().port)
      })
    })
  }

  async #onMessage(socket: Socket, local: string, bytes: Buffer, from: RemoteInfo): Promise<void> {
    if (this.#running >= maxRunning || from.port === 0) return // port 0 cannot get a reply
    this.#running++
    const who = {
      protocol: 'nfs',
      address: plainAddress(from.address),
      localAddress: plainAddress(local),
    } as const
    const caller: Caller = { who, transport: 'udp' }
    const reply = await this.#hooks.handle(bytes, caller)
    if (!reply) {
      this.#running--
      return
    }
    send(socket, reply, from, () => {
      this.#running--
      reply.payload?.release()
    })
  }
}

/** Sends a reply without its record mark. `done` is called once, also when the socket has been closed. */
function send(socket: Socket, { head, payload }: RpcReply, to: RemoteInfo, done: () => void): void {
  const first = head.subarray(recordMarkBytes)
  try {
    socket.send(payload ? [first, payload.bytes] : [first], to.port, to.address, done)
  } catch {
    done()
  }
}

function addressesOf(bind: string): string[] {
  return listenAddresses(bind, networkInterfaces()).map(({ address }) => address)
}
