import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { Failure, failureMessage } from '../../core/failure.ts'
import { isWildcard } from '../listen-addresses.ts'
import { type Interfaces, type Side, type SideOptions, sidesOf } from './interfaces.ts'
import type { Destination, Service } from './reply.ts'

export interface DhcpPorts {
  readonly dhcp: number
  readonly bootServer: number
}

export interface SocketOptions extends SideOptions {
  readonly ports: DhcpPorts
  /** 255.255.255.255; a test on loopback has another. */
  readonly broadcast: string
  readonly localInterfaces?: () => Interfaces
}

/** Gets a datagram, the port that it came to, and the side; a broadcast came to all sides. */
export type OnDatagram = (bytes: Buffer, from: RemoteInfo, service: Service, side: Side | undefined) => void

interface OpenSide {
  readonly side: Side
  readonly dhcp: Socket
  readonly bootServer: Socket
}

/** How often we look for new and lost addresses: a bridge that comes up later is served within this time. */
const recheckMs = 5000
/**
 * A rack that is switched on sends hundreds of packets in one moment; the kernel cuts this to its `rmem_max`.
 */
const receiveBytes = 4 * 1024 * 1024

/**
 * The sockets of a ProxyDHCP server. Node cannot tell to which address or interface a datagram came (no
 * IP_PKTINFO), nor bind a socket to an interface. But a socket that is bound to an address of ours sends
 * broadcasts by the interface of that address, whatever the default route. A socket that is bound to
 * 255.255.255.255 receives broadcasts alone. So there is one socket for broadcasts, and for each side one at
 * port 67, which sends and receives from relays, and one at port 4011.
 */
export class DhcpSockets {
  readonly #options: SocketOptions
  readonly #onDatagram: OnDatagram
  readonly #onTrouble: (message: string) => void
  readonly #onLost: (to: string, message: string) => void
  readonly #sides = new Map<string, OpenSide>()
  readonly #refused = new Set<string>()
  #broadcastSocket: Socket | undefined
  #recheck: NodeJS.Timeout | undefined
  #checking: Promise<void> = Promise.resolve()
  #closed = false

  /**
   * `onLost`: a reply that cannot reach the address that a client named. That is not trouble: a client can
   * name any.
   */
  constructor(
    options: SocketOptions,
    onDatagram: OnDatagram,
    onTrouble: (message: string) => void,
    onLost: (to: string, message: string) => void,
  ) {
    this.#options = options
    this.#onDatagram = onDatagram
    this.#onTrouble = onTrouble
    this.#onLost = onLost
  }

  /** The open sides. Each of them replies to a broadcast, with its own address. */
  get sides(): readonly Side[] {
    return [...this.#sides.values()].map(({ side }) => side)
  }

  get port(): number | undefined {
    return this.#broadcastSocket?.address().port
  }

  /** The port for boot server requests on this side. */
  bootServerPort(side: Side): number | undefined {
    return this.#sides.get(side.address)?.bootServer.address().port
  }

  /** @throws Failure that names address, port and remedy. */
  async open(): Promise<void> {
    const { broadcast, ports } = this.#options
    const sides = this.#wanted()
    if (sides.length === 0) this.#onTrouble(whyNoSide(this.#options))
    try {
      this.#broadcastSocket = await bound(broadcast, ports.dhcp)
      this.#broadcastSocket.on('message', (bytes, from) => this.#onDatagram(bytes, from, 'dhcp', undefined))
      this.#broadcastSocket.on('error', (error) => this.#onTrouble(error.message))
      for (const side of sides) await this.#openSide(side)
    } catch (error) {
      this.close()
      throw error
    }
    this.#recheck = setInterval(() => {
      this.#checking = this.#checking.then(() => this.#checkSides())
    }, recheckMs)
    this.#recheck.unref()
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#recheck)
    this.#broadcastSocket?.close()
    this.#broadcastSocket = undefined
    for (const open of this.#sides.values()) closeSide(open)
    this.#sides.clear()
  }

  send(bytes: Uint8Array, side: Side, service: Service, to: Destination): void {
    const open = this.#sides.get(side.address)
    const socket = service === 'dhcp' ? open?.dhcp : open?.bootServer
    socket?.send(bytes, to.port, to.address, (error) => {
      if (!error || this.#closed) return
      const message = `${side.interface} to ${to.address}: ${error.message}`
      if (to.address === this.#options.broadcast) this.#onTrouble(message)
      else this.#onLost(to.address, message)
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
    dhcp.on('message', (bytes, from) => this.#onDatagram(bytes, from, 'dhcp', side))
    bootServer.on('message', (bytes, from) => this.#onDatagram(bytes, from, 'boot-server', side))
    for (const socket of [dhcp, bootServer])
      socket.on('error', (error) => this.#onTrouble(`${side.interface}: ${error.message}`))
    const open = { side, dhcp, bootServer }
    if (this.#closed) closeSide(open)
    else this.#sides.set(side.address, open)
  }

  async #checkSides(): Promise<void> {
    if (this.#closed) return
    const wanted = new Map(this.#wanted().map((side) => [side.address, side]))
    for (const [address, open] of this.#sides) {
      if (wanted.has(address)) continue
      this.#sides.delete(address)
      closeSide(open)
    }
    for (const [address, side] of wanted) if (!this.#sides.has(address)) await this.#tryToOpen(side)
  }

  async #tryToOpen(side: Side): Promise<void> {
    const { address } = side
    try {
      await this.#openSide(side)
      this.#refused.delete(address)
    } catch (error) {
      // One message for each address, however often it is tried.
      if (!this.#refused.has(address)) this.#onTrouble(failureMessage(error))
      this.#refused.add(address)
    }
  }
}

function whyNoSide({ interfaces, bind }: SideOptions): string {
  if (isIPv6(bind) && bind !== '::')
    return `no machine can get an answer: ${bind} is an IPv6 address, and ProxyDHCP is IPv4. Set dhcp.bind to an IPv4 address of this machine`
  const where = interfaces.length > 0 ? `${interfaces.join(', ')}: ` : ''
  const what = isWildcard(bind)
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
      `dhcp: ${address} port ${port} needs root or CAP_NET_BIND_SERVICE, and another port is of no use: clients send to this one`,
      options,
    )
  return new Failure(
    'unavailable',
    `dhcp: cannot listen on ${address} port ${port}: ${cause.message}`,
    options,
  )
}
