import { randomBytes, randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { setTimeout as pause } from 'node:timers/promises'
import type { ServedInterface } from './interfaces.ts'
import { encodeUserClasses, userClasses, vendorClass } from './options/classes.ts'
import { encodeMessageType, messageType } from './options/message.ts'
import { bytesOf, optionCode, textOf } from './options/option.ts'
import { encodeClientArchs } from './options/pxe-client.ts'
import { broadcastFlag, type DhcpPacket, decodePacket, encodePacket } from './packet.ts'

/** Another server that tells machines of this network what to boot. */
export interface Rival {
  readonly address: string
  /** The name of our interface that its offer came by. */
  readonly interface: string
  /** '' when its offer has none. */
  readonly bootFile: string
}

export interface ProbeOptions {
  /** Where clients receive: 68, except in tests. */
  readonly clientPort: number
  /** 255.255.255.255, except in tests on loopback. */
  readonly broadcast: string
  /** Between the two times that each question is asked, and after them. Default: 2 seconds. */
  readonly waitMs?: number
}

/**
 * The user class of our probes (RFC 3004). Another treeboot gives such a machine an offer whatever its policy for
 * unknown machines is, and does not count it as a machine.
 */
const probeClass = 'treeboot-probe'

/** What most machines are: BIOS, and UEFI on x64. A proxy may know only one of them. */
const architectures = [0, 7]

const noAddress = '0.0.0.0'

/** Whether the packet is a probe of this or another treeboot. */
export function isProbe({ options }: DhcpPacket): boolean {
  return userClasses(options).includes(probeClass)
}

/**
 * Looks for other servers that offer network boot: asks as a machine with a random MAC address, on each interface.
 * Two proxies on one network both answer, and which one a machine follows is chance.
 */
export class ProxyProbe {
  readonly #options: ProbeOptions
  /** Locally administered (IEEE 802): it belongs to no machine. One for the whole run, for the lists of others. */
  readonly #mac = Buffer.concat([Buffer.from([0x02]), randomBytes(5)])
  /** The transaction of each question that is being asked, and the interface that it went by. */
  readonly #asked = new Map<number, ServedInterface>()

  constructor(options: ProbeOptions) {
    this.#options = options
  }

  /** Whether this is our own question, which comes back to us because it is a broadcast. */
  isOwn(packet: DhcpPacket): boolean {
    return this.#asked.has(packet.xid) && this.#mac.equals(packet.chaddr)
  }

  /**
   * The proxies that answer within four seconds, each once for each interface. A DHCP server that gives an address
   * with its boot file is none: treeboot stands beside such servers.
   *
   * @param serverPort Where servers receive: 67, except in tests.
   * @throws The error of the system when the client's port cannot be bound.
   */
  async find(interfaces: readonly ServedInterface[], serverPort: number): Promise<Rival[]> {
    if (interfaces.length === 0) return []
    const { broadcast, clientPort, waitMs = 2000 } = this.#options
    const found = new Map<string, Rival>()
    const sockets: Socket[] = []
    const open = async (address: string) => {
      const socket = createSocket({ type: 'udp4', reuseAddr: true })
      socket.unref()
      sockets.push(socket)
      await bind(socket, address, clientPort)
      return socket
    }
    try {
      const receiver = await open(broadcast)
      receiver.on('message', (bytes) => {
        const rival = this.#rivalIn(bytes)
        if (rival) found.set(`${rival.interface} ${rival.address}`, rival)
      })
      const questions = await Promise.all(
        interfaces.map(async (iface) => ({
          socket: await open(iface.address),
          packets: this.#questions(iface),
        })),
      )
      for (let times = 0; times < 2; times++) {
        for (const { socket, packets } of questions)
          for (const packet of packets) socket.send(packet, serverPort, broadcast, () => undefined)
        await pause(waitMs, undefined, { ref: false })
      }
    } finally {
      for (const socket of sockets) socket.close()
      this.#asked.clear()
    }
    const own = new Set(interfaces.map(({ address }) => address))
    return [...found.values()].filter(({ address }) => !own.has(address))
  }

  #questions(iface: ServedInterface): Buffer[] {
    return architectures.map((arch) => {
      const xid = randomInt(2 ** 32)
      this.#asked.set(xid, iface)
      return encodePacket(question(arch, xid, this.#mac))
    })
  }

  #rivalIn(bytes: Buffer): Rival | undefined {
    const packet = decodePacket(bytes)
    if ('malformed' in packet || packet.op !== 'reply') return undefined
    const iface = this.#asked.get(packet.xid)
    const { options, yiaddr, siaddr } = packet
    // PXE 2.1 section 2.2.1: the offer of a proxy has the class PXEClient and no address.
    const isProxy = yiaddr === noAddress && vendorClass(options)?.startsWith('PXEClient')
    if (!iface || messageType(options) !== 'offer' || !isProxy) return undefined
    const named = options.get(optionCode.bootFile)
    return {
      address: serverOf(packet) ?? siaddr,
      interface: iface.name,
      bootFile: packet.file || (named ? textOf(named) : ''),
    }
  }
}

function question(arch: number, xid: number, mac: Uint8Array): DhcpPacket {
  const code = String(arch).padStart(5, '0')
  return {
    op: 'request',
    htype: 1,
    hops: 0,
    xid,
    secs: 0,
    // The interface has the address of this machine, so a reply to an address that is offered would be lost.
    flags: broadcastFlag,
    ciaddr: noAddress,
    yiaddr: noAddress,
    siaddr: noAddress,
    giaddr: noAddress,
    chaddr: mac,
    sname: '',
    file: '',
    options: new Map([
      [optionCode.messageType, encodeMessageType('discover')],
      // RFC 4578 section 2: 93, 94 and 97 are in every request for network boot. UNDI 2.1; a UUID of nothing.
      [optionCode.vendorClass, bytesOf(`PXEClient:Arch:${code}:UNDI:002001`)],
      [optionCode.userClass, encodeUserClasses([probeClass])],
      [optionCode.clientArch, encodeClientArchs([arch])],
      [optionCode.networkInterface, Uint8Array.of(1, 2, 1)],
      [optionCode.machineId, new Uint8Array(17)],
    ]),
  }
}

/** Option 54: the server that speaks. */
function serverOf({ options }: DhcpPacket): string | undefined {
  const value = options.get(optionCode.serverId)
  return value?.length === 4 ? value.join('.') : undefined
}

/** `reuseAddr` lets the DHCP client of this machine keep its port; broadcasts reach both. */
function bind(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address, port }, () => {
      socket.off('error', reject)
      socket.on('error', () => undefined)
      socket.setBroadcast(true)
      resolve()
    })
  })
}
