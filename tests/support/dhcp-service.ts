import { createSocket, type Socket } from 'node:dgram'
import { onTestFinished } from 'vitest'
import type { NetworkBootRequest, NetworkReply } from '../../server/core/loader/network-offer.ts'
import type { Event } from '../../server/events/bus.ts'
import { type DhcpPacket, decodePacket, encodePacket } from '../../server/protocols/dhcp/packet.ts'
import { DhcpListener, type DhcpListenerOptions } from '../../server/protocols/dhcp/server.ts'
import { clients, type PretendClient, request } from './dhcp.ts'

/**
 * The whole service on loopback, whose broadcast address is 127.255.255.255: no port is privileged, no
 * network is needed.
 */
export const broadcast = '127.255.255.255'
export const loopback = {
  lo: [{ address: '127.0.0.1', family: 'IPv4', internal: true, netmask: '', mac: '', cidr: null }],
} as never

/** A port that the test sends nothing to. */
export const unused = 1

export const offer: NetworkReply = {
  kind: 'offer',
  offer: { firmware: 'uefi-x64', style: 'pxe', bootFile: 'snponly.efi' },
  why: 'the default',
  guest: 'web01',
}

/** A socket that receives broadcasts to clients, and can ask. */
export async function openSocket(
  address = broadcast,
): Promise<{ socket: Socket; port: number; received: DhcpPacket[] }> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 })
  const received: DhcpPacket[] = []
  socket.on('message', (bytes) => {
    const packet = decodePacket(bytes)
    if (!('malformed' in packet)) received.push(packet)
  })
  await new Promise<void>((resolve) => socket.bind({ address, port: 0 }, resolve))
  socket.setBroadcast(true)
  onTestFinished(() => {
    socket.close()
  })
  return { socket, port: socket.address().port, received }
}

export interface TestService {
  readonly service: DhcpListener
  /** All but those of single packets. */
  readonly events: Event[]
  readonly packets: Event[]
  readonly asked: NetworkBootRequest[]
  /** Broadcasts to clients. */
  readonly offers: DhcpPacket[]
  /** Replies to the relay. */
  readonly relayed: DhcpPacket[]
  /** From a client's socket to the service's port 67, or to its port 4011. */
  send(bytes: Uint8Array, to?: 'broadcast' | 'unicast' | 'boot-server', from?: Socket): Promise<void>
}

export async function startService(
  decide: (ask: NetworkBootRequest) => Promise<NetworkReply | undefined> = async () => offer,
  more: Partial<DhcpListenerOptions> = {},
): Promise<TestService> {
  const client = await openSocket()
  const relay = await openSocket('127.0.0.1')
  const events: Event[] = []
  const packets: Event[] = []
  const asked: NetworkBootRequest[] = []
  const service = new DhcpListener({
    interfaces: ['lo'],
    bind: '0.0.0.0',
    port: 0,
    ports: { bootServer: 0, client: client.port, relay: relay.port },
    broadcast,
    probe: 'never',
    localInterfaces: () => loopback,
    events: (event) => (event.type === 'dhcp' ? packets : events).push(event),
    decide: (ask) => {
      asked.push(ask)
      return decide(ask)
    },
    ...more,
  })
  await service.start()
  onTestFinished(() => service.stop())
  const [iface] = service.interfaces
  const bootServer = iface ? (service.bootServerPort(iface) ?? 0) : 0
  const { port = 0 } = service.address ?? {}
  const sender = await openSocket('127.0.0.1')
  return {
    service,
    events,
    packets,
    asked,
    offers: client.received,
    relayed: relay.received,
    send: (bytes, to = 'broadcast', from = sender.socket) =>
      new Promise((resolve, reject) => {
        const address = to === 'broadcast' ? broadcast : '127.0.0.1'
        const done = (error: Error | null) => (error ? reject(error) : resolve())
        from.send(bytes, to === 'boot-server' ? bootServer : port, address, done)
      }),
  }
}

export const macOf = (number: number): string =>
  `52:54:00:${[number >> 16, (number >> 8) & 255, number & 255].map((each) => each.toString(16).padStart(2, '0')).join(':')}`

export function discover(
  client: Partial<PretendClient> = clients.uefi,
  more: Partial<DhcpPacket> = {},
): Buffer {
  return encodePacket(request('discover', { mac: macOf(1), ...client }, more))
}

export async function until(condition: () => boolean, what: string): Promise<void> {
  for (const deadlineMs = Date.now() + 10_000; !condition(); ) {
    if (Date.now() > deadlineMs) throw new Error(`waited for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
