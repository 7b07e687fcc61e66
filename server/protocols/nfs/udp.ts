import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { plainAddress } from '../../core/net/address.ts'
import { listenAddresses } from '../listen-addresses.ts'
import type { Answer, Caller } from './dispatch.ts'
import { recordMarkBytes } from './record.ts'
import type { TransportHooks } from './tcp.ts'

/** Calls that are worked on at once; what comes beyond is dropped, and the client sends it again. */
const maxRunning = 256
/** How often addresses that came or went are looked for. */
const recheckMs = 5_000

/** The UDP sockets of one port: one for each of our addresses. */
export class UdpEar {
  readonly #hooks: TransportHooks
  readonly #sockets = new Map<string, Socket>()
  #running = 0
  #recheck: NodeJS.Timeout | undefined

  constructor(hooks: TransportHooks) {
    this.#hooks = hooks
  }

  /** Resolves when every address that can be bound is. Rejects with the system's error when none can. */
  async open(bind: string, port: number): Promise<number> {
    const addresses = addressesOf(bind)
    let bound = port
    let failed: unknown
    for (const address of addresses.length > 0 ? addresses : [bind]) {
      try {
        bound = await this.#listen(address, bound)
      } catch (error) {
        failed = error
        if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') break
      }
    }
    const inUse = (failed as NodeJS.ErrnoException | undefined)?.code === 'EADDRINUSE'
    if (this.#sockets.size === 0 || inUse) {
      this.close()
      throw failed
    }
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
    // One that refuses (IPv6 still tentative) is tried again next time.
    for (const address of wanted)
      if (!this.#sockets.has(address)) await this.#listen(address, port).catch(() => undefined)
  }

  #listen(address: string, port: number): Promise<number> {
    const six = isIPv6(address.replace(/%.*$/, ''))
    const socket = createSocket({ type: six ? 'udp6' : 'udp4', ipv6Only: six })
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close()
        reject(error)
      })
      socket.bind({ address, port }, () => {
        socket.removeAllListeners('error')
        socket.on('error', (error) => this.#hooks.trouble(`${address}: ${error.message}`))
        socket.on('message', (bytes, from) => void this.#heard(socket, address, bytes, from))
        this.#sockets.set(address, socket)
        resolve(socket.address().port)
      })
    })
  }

  async #heard(socket: Socket, local: string, bytes: Buffer, from: RemoteInfo): Promise<void> {
    if (this.#running >= maxRunning || from.port === 0) return
    this.#running++
    const who = {
      protocol: 'nfs',
      address: plainAddress(from.address),
      localAddress: plainAddress(local),
    } as const
    const caller: Caller = { who, transport: 'udp' }
    const answer = await this.#hooks.answer(bytes, caller)
    if (!answer) {
      this.#running--
      return
    }
    send(socket, answer, from, () => {
      this.#running--
      answer.payload?.release()
    })
  }
}

/** `done` is called once, also when the socket was closed meanwhile. */
function send(socket: Socket, { head, payload }: Answer, to: RemoteInfo, done: () => void): void {
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
