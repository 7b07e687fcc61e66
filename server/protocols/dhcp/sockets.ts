import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { Failure } from '../../core/failure.ts'
import { type Interfaces, type Side, type SideWishes, sidesOf } from './interfaces.ts'
import type { Destination, Service } from './reply.ts'

export interface DhcpPorts {
  readonly dhcp: number
  readonly bootServer: number
}

export interface SocketOptions extends SideWishes {
  readonly ports: DhcpPorts
  /** 255.255.255.255; a test on loopback has another. */
  readonly broadcast: string
  readonly localInterfaces?: () => Interfaces
}

/** A datagram, the port that heard it, and the side that it came to; a broadcast came to all of them. */
export type Heard = (bytes: Buffer, from: RemoteInfo, service: Service, side: Side | undefined) => void

interface OpenSide {
  readonly side: Side
  readonly dhcp: Socket
  readonly bootServer: Socket
}

/** How often new and vanished addresses are looked for: a bridge that comes up later is served within this time. */
const recheckMs = 5000
/** A rack that is switched on sends hundreds of packets in one moment; the kernel cuts this to its `rmem_max`. */
const receiveBytes = 4 * 1024 * 1024

/**
 * The sockets of a ProxyDHCP server. Node cannot ask to which address or interface a datagram came (no IP_PKTINFO), nor tie
 * a socket to an interface. But a socket that is bound to an own address sends broadcasts out of that address's interface,
 * default route or not, and one that is bound to 255.255.255.255 hears broadcasts and nothing else. So there is one
 * ear for broadcasts, and for each side one socket at port 67 (it sends, and hears relays) and one at port 4011.
 */
export class DhcpSockets {
  readonly #options: SocketOptions
  readonly #heard: Heard
  readonly #trouble: (message: string) => void
  readonly #lost: (to: string, message: string) => void
  readonly #sides = new Map<string, OpenSide>()
  readonly #refused = new Set<string>()
  #ear: Socket | undefined
  #recheck: NodeJS.Timeout | undefined
  #following: Promise<void> = Promise.resolve()
  #closed = false

  /** `lost`: an answer to an address that a client has named, and that there is no way to. Anybody can name one. */
  constructor(
    options: SocketOptions,
    heard: Heard,
    trouble: (message: string) => void,
    lost: (to: string, message: string) => void,
  ) {
    this.#options = options
    this.#heard = heard
    this.#trouble = trouble
    this.#lost = lost
  }

  /** Every side that is open now: a broadcast is answered on each, from its own address. */
  get sides(): readonly Side[] {
    return [...this.#sides.values()].map(({ side }) => side)
  }

  get port(): number | undefined {
    return this.#ear?.address().port
  }

  /** Where requests to the second port go on this side. */
  bootServerPort(side: Side): number | undefined {
    return this.#sides.get(side.address)?.bootServer.address().port
  }

  /** @throws Failure that names address, port and remedy. */
  async open(): Promise<void> {
    const { broadcast, ports } = this.#options
    const sides = this.#wanted()
    if (sides.length === 0) this.#trouble(whyNoSide(this.#options))
    try {
      this.#ear = await bound(broadcast, ports.dhcp)
      this.#ear.on('message', (bytes, from) => this.#heard(bytes, from, 'dhcp', undefined))
      this.#ear.on('error', (error) => this.#trouble(error.message))
      for (const side of sides) await this.#openSide(side)
    } catch (error) {
      this.close()
      throw error
    }
    this.#recheck = setInterval(() => {
      this.#following = this.#following.then(() => this.#follow())
    }, recheckMs)
    this.#recheck.unref()
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#recheck)
    this.#ear?.close()
    this.#ear = undefined
    for (const open of this.#sides.values()) closeSide(open)
    this.#sides.clear()
  }

  send(bytes: Uint8Array, side: Side, service: Service, to: Destination): void {
    const open = this.#sides.get(side.address)
    const socket = service === 'dhcp' ? open?.dhcp : open?.bootServer
    socket?.send(bytes, to.port, to.address, (error) => {
      if (!error || this.#closed) return
      const message = `${side.interface} to ${to.address}: ${error.message}`
      if (to.address === this.#options.broadcast) this.#trouble(message)
      else this.#lost(to.address, message)
    })
  }

  #wanted(): Side[] {
    return sidesOf(this.#options, (this.#options.localInterfaces ?? networkInterfaces)())
  }

  async #openSide(side: Side): Promise<void> {
    const { ports } = this.#options
    const dhcp = await bound(side.address, ports.dhcp === 0 ? (this.port ?? 0) : ports.dhcp)
    let bootServer: Socket
    try {
      bootServer = await bound(side.address, ports.bootServer)
    } catch (error) {
      dhcp.close()
      throw error
    }
    dhcp.on('message', (bytes, from) => this.#heard(bytes, from, 'dhcp', side))
    bootServer.on('message', (bytes, from) => this.#heard(bytes, from, 'boot-server', side))
    for (const socket of [dhcp, bootServer])
      socket.on('error', (error) => this.#trouble(`${side.interface}: ${error.message}`))
    const open = { side, dhcp, bootServer }
    if (this.#closed) closeSide(open)
    else this.#sides.set(side.address, open)
  }

  async #follow(): Promise<void> {
    if (this.#closed) return
    const wanted = new Map(this.#wanted().map((side) => [side.address, side]))
    for (const [address, open] of this.#sides) {
      if (wanted.has(address)) continue
      this.#sides.delete(address)
      closeSide(open)
    }
    for (const [address, side] of wanted) {
      if (this.#sides.has(address)) continue
      try {
        await this.#openSide(side)
        this.#refused.delete(address)
      } catch (error) {
        // Once for each address, however often it is tried.
        if (!this.#refused.has(address)) this.#trouble(error instanceof Error ? error.message : String(error))
        this.#refused.add(address)
      }
    }
  }
}

function whyNoSide({ interfaces, bind }: SideWishes): string {
  if (isIPv6(bind) && bind !== '::')
    return `nobody can be answered: ${bind} is an IPv6 address, and ProxyDHCP is IPv4. Set dhcp.bind to an IPv4 address of this machine`
  const where = interfaces.length > 0 ? `${interfaces.join(', ')}: ` : ''
  const what =
    bind === '0.0.0.0' || bind === '::'
      ? 'no IPv4 address there yet'
      : `no interface with the address ${bind} (dhcp.bind)`
  return `${where}${what}; answering begins when there is one`
}

function closeSide({ dhcp, bootServer }: OpenSide): void {
  dhcp.close()
  bootServer.close()
}

function bound(address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: receiveBytes })
    socket.once('error', (error) => {
      socket.close()
      reject(bindFailure(address, port, error))
    })
    socket.bind({ address, port, exclusive: true }, () => {
      socket.removeAllListeners('error')
      socket.setBroadcast(true)
      resolve(socket)
    })
  })
}

function bindFailure(address: string, port: number, cause: NodeJS.ErrnoException): Failure {
  const options = { cause }
  if (cause.code === 'EADDRINUSE')
    return new Failure(
      'conflict',
      `dhcp: ${address} port ${port} is taken: another DHCP server runs on this machine. Two cannot share the port; ` +
        'let that one tell machines what to boot (treeboot dhcp-config dnsmasq|isc|kea prints what it needs), and set dhcp.mode: off',
      options,
    )
  if (cause.code === 'EACCES')
    return new Failure(
      'forbidden',
      `dhcp: ${address} port ${port} needs root or CAP_NET_BIND_SERVICE, and no other port will do: clients ask there`,
      options,
    )
  return new Failure(
    'unavailable',
    `dhcp: cannot listen on ${address} port ${port}: ${cause.message}`,
    options,
  )
}
