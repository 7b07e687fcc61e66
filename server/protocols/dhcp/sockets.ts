import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { Failure, failureMessage } from '../../core/failure.ts'
import { isWildcard } from '../listen-addresses.ts'
import { udpReceiveBytes } from '../listener.ts'
import {
  type InterfaceOptions,
  type Interfaces,
  type ServedInterface,
  servedInterfaces,
} from './interfaces.ts'
import type { Destination, ServerPort } from './reply.ts'

/** The ports that we listen on: 67 and 4011, or 0 in tests for any free port. */
export interface DhcpPorts {
  readonly dhcp: number
  readonly bootServer: number
}

export interface SocketOptions extends InterfaceOptions {
  readonly ports: DhcpPorts
  /** 255.255.255.255, except in tests on loopback. */
  readonly broadcast: string
  /** For tests. Default: the interfaces of this machine. */
  readonly localInterfaces?: () => Interfaces
}

/**
 * Called with a datagram, the port that it came to, and the interface that it came by. Node does not tell the
 * interface of a broadcast: then it is undefined.
 */
export type OnDatagram = (
  bytes: Buffer,
  from: RemoteInfo,
  serverPort: ServerPort,
  iface: ServedInterface | undefined,
) => void

interface OpenInterface {
  readonly iface: ServedInterface
  readonly dhcp: Socket
  readonly bootServer: Socket
}

/** How often we look for new and lost addresses: a bridge that comes up later is served within this time. */
const recheckMs = 5000

/**
 * The sockets of a ProxyDHCP server. Node cannot tell to which address or interface a datagram came (no
 * IP_PKTINFO), nor bind a socket to an interface. But a socket that is bound to an address of ours sends
 * broadcasts by the interface of that address, whatever the default route. A socket that is bound to
 * 255.255.255.255 receives broadcasts alone. So one socket receives broadcasts, and each interface has two
 * more: one at port 67, for replies and for packets of relays, and one at port 4011.
 */
export class DhcpSockets {
  readonly #options: SocketOptions
  readonly #onDatagram: OnDatagram
  readonly #onTrouble: (message: string) => void
  readonly #onUndeliverable: (to: string, message: string) => void
  /** By address. */
  readonly #open = new Map<string, OpenInterface>()
  /** Addresses that could not be bound, and were reported. */
  readonly #reported = new Set<string>()
  #broadcastSocket: Socket | undefined
  #recheck: NodeJS.Timeout | undefined
  /** The last look at the interfaces; the next one begins after it. */
  #following: Promise<void> = Promise.resolve()
  #closed = false

  /**
   * `onUndeliverable` gets replies that could not be sent to the address that a client named. That is not
   * trouble: a client can name any address.
   */
  constructor(
    options: SocketOptions,
    onDatagram: OnDatagram,
    onTrouble: (message: string) => void,
    onUndeliverable: (to: string, message: string) => void,
  ) {
    this.#options = options
    this.#onDatagram = onDatagram
    this.#onTrouble = onTrouble
    this.#onUndeliverable = onUndeliverable
  }

  /** The interfaces whose sockets are open. */
  get interfaces(): readonly ServedInterface[] {
    return [...this.#open.values()].map(({ iface }) => iface)
  }

  /** The port for broadcasts: 67, or the port that the system chose. */
  get port(): number | undefined {
    return this.#broadcastSocket?.address().port
  }

  /** The port for boot-server requests on this interface. */
  bootServerPort(iface: ServedInterface): number | undefined {
    return this.#open.get(iface.address)?.bootServer.address().port
  }

  /** @throws Failure that names address, port and remedy. */
  async open(): Promise<void> {
    const { broadcast, ports } = this.#options
    const wanted = this.#wanted()
    if (wanted.length === 0) this.#onTrouble(whyNoInterface(this.#options))
    try {
      this.#broadcastSocket = await openSocket(broadcast, ports.dhcp)
      this.#broadcastSocket.on('message', (bytes, from) => this.#onDatagram(bytes, from, 'dhcp', undefined))
      this.#broadcastSocket.on('error', (error) => this.#onTrouble(error.message))
      for (const iface of wanted) await this.#openInterface(iface)
    } catch (error) {
      this.close()
      throw error
    }
    this.#recheck = setInterval(() => {
      this.#following = this.#following.then(() => this.#followInterfaces())
    }, recheckMs)
    this.#recheck.unref()
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#recheck)
    this.#broadcastSocket?.close()
    this.#broadcastSocket = undefined
    for (const open of this.#open.values()) closeInterface(open)
    this.#open.clear()
  }

  send(bytes: Uint8Array, iface: ServedInterface, serverPort: ServerPort, to: Destination): void {
    const open = this.#open.get(iface.address)
    const socket = serverPort === 'dhcp' ? open?.dhcp : open?.bootServer
    socket?.send(bytes, to.port, to.address, (error) => {
      if (!error || this.#closed) return
      const message = `${iface.name} to ${to.address}: ${error.message}`
      if (to.address === this.#options.broadcast) this.#onTrouble(message)
      else this.#onUndeliverable(to.address, message)
    })
  }

  #wanted(): ServedInterface[] {
    return servedInterfaces(this.#options, (this.#options.localInterfaces ?? networkInterfaces)())
  }

  async #openInterface(iface: ServedInterface): Promise<void> {
    const { ports } = this.#options
    // Port 0, in tests: the port that the system gave to the socket for broadcasts.
    const dhcp = await openSocket(iface.address, ports.dhcp === 0 ? (this.port ?? 0) : ports.dhcp)
    let bootServer: Socket
    try {
      bootServer = await openSocket(iface.address, ports.bootServer)
    } catch (error) {
      dhcp.close()
      throw error
    }
    dhcp.on('message', (bytes, from) => this.#onDatagram(bytes, from, 'dhcp', iface))
    bootServer.on('message', (bytes, from) => this.#onDatagram(bytes, from, 'boot-server', iface))
    for (const socket of [dhcp, bootServer])
      socket.on('error', (error) => this.#onTrouble(`${iface.name}: ${error.message}`))
    const open = { iface, dhcp, bootServer }
    // `close` may have been called while the sockets were being opened.
    if (this.#closed) closeInterface(open)
    else this.#open.set(iface.address, open)
  }

  async #followInterfaces(): Promise<void> {
    if (this.#closed) return
    const wanted = new Map(this.#wanted().map((iface) => [iface.address, iface]))
    for (const [address, open] of this.#open) {
      if (wanted.has(address)) continue
      this.#open.delete(address)
      closeInterface(open)
    }
    for (const [address, iface] of wanted) if (!this.#open.has(address)) await this.#tryToOpen(iface)
  }

  async #tryToOpen(iface: ServedInterface): Promise<void> {
    const { address } = iface
    try {
      await this.#openInterface(iface)
      this.#reported.delete(address)
    } catch (error) {
      // One message for each address, however often we try to bind it.
      if (!this.#reported.has(address)) this.#onTrouble(failureMessage(error))
      this.#reported.add(address)
    }
  }
}

function whyNoInterface({ interfaces, bind }: InterfaceOptions): string {
  if (isIPv6(bind) && bind !== '::')
    return `no machine can get a reply: ${bind} is an IPv6 address, and ProxyDHCP is IPv4. Set dhcp.bind to an IPv4 address of this machine`
  const where = interfaces.length > 0 ? `${interfaces.join(', ')}: ` : ''
  const what = isWildcard(bind)
    ? 'no interface has an IPv4 address yet'
    : `no interface has the address ${bind} (dhcp.bind)`
  return `${where}${what}; replies begin when there is an address`
}

function closeInterface({ dhcp, bootServer }: OpenInterface): void {
  dhcp.close()
  bootServer.close()
}

function openSocket(address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', recvBufferSize: udpReceiveBytes })
    socket.once('error', (error) => {
      socket.close()
      reject(bindFailure(address, port, error))
    })
    // `exclusive`: a taken port is an error, also in a worker of Node's cluster module.
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
      `dhcp: ${address} port ${port} is taken: another DHCP server runs on this machine. Two servers cannot share the port; ` +
        'let that server tell machines what to boot (treeboot dhcp-config dnsmasq|isc|kea prints its configuration), and set dhcp.mode: off',
      options,
    )
  if (cause.code === 'EACCES')
    return new Failure(
      'forbidden',
      `dhcp: ${address} port ${port} needs root or CAP_NET_BIND_SERVICE. Another port does not help: clients send to this port`,
      options,
    )
  return new Failure(
    'unavailable',
    `dhcp: cannot listen on ${address} port ${port}: ${cause.message}`,
    options,
  )
}
