import { encodeUserClasses } from '../../server/protocols/dhcp/options/classes.ts'
import { encodeMessageType, type MessageType } from '../../server/protocols/dhcp/options/message.ts'
import { bytesOf, optionCode } from '../../server/protocols/dhcp/options/option.ts'
import { encodeClientArchs, encodeMachineUuid } from '../../server/protocols/dhcp/options/pxe-client.ts'
import type { DhcpPacket } from '../../server/protocols/dhcp/packet.ts'

/** The options of real requests, as seen on the wire. */
export interface PretendClient {
  readonly mac: string
  readonly uuid?: string
  readonly archs?: readonly number[]
  readonly vendorClass?: string
  /** A text is sent bare, as iPXE does; a list in the form of RFC 3004. */
  readonly userClass?: string | readonly string[]
  readonly etherboot?: Uint8Array
}

export const clients = {
  /** SeaBIOS with QEMU's iPXE ROM. */
  ipxeBios: { archs: [0], vendorClass: 'PXEClient:Arch:00000:UNDI:002001', userClass: 'iPXE' },
  bios: { archs: [0], vendorClass: 'PXEClient:Arch:00000:UNDI:002001' },
  /** OVMF 2022.11. */
  uefi: { archs: [7], vendorClass: 'PXEClient:Arch:00007:UNDI:003000' },
  uefiHttp: { archs: [16], vendorClass: 'HTTPClient:Arch:00016:UNDI:003000' },
  ipxeUefi: { archs: [7], vendorClass: 'PXEClient:Arch:00007:UNDI:003010', userClass: 'iPXE' },
  /** AAVMF 2022.11. */
  arm64: { archs: [11], vendorClass: 'PXEClient:Arch:00011:UNDI:003000' },
  arm64Http: { archs: [19], vendorClass: 'HTTPClient:Arch:00019:UNDI:003000' },
  /** A running Linux, Fedora's installer, that asks for an address and not for network boot. */
  dhclient: { vendorClass: 'anaconda-Linux 6.8.5-301.fc40.x86_64 x86_64' },
} as const satisfies Record<string, Omit<PretendClient, 'mac'>>

/** A packet of the client. `more` replaces fields of the header, and adds options. */
export function request(
  type: MessageType,
  client: PretendClient,
  more: Partial<DhcpPacket> = {},
): DhcpPacket {
  const options = new Map<number, Uint8Array>([[optionCode.messageType, encodeMessageType(type)]])
  const { archs, uuid, vendorClass, userClass, etherboot } = client
  if (archs) options.set(optionCode.clientArch, encodeClientArchs(archs))
  if (uuid) options.set(optionCode.machineId, encodeMachineUuid(uuid))
  if (vendorClass) options.set(optionCode.vendorClass, bytesOf(vendorClass))
  if (typeof userClass === 'string') options.set(optionCode.userClass, bytesOf(userClass))
  else if (userClass) options.set(optionCode.userClass, encodeUserClasses(userClass))
  if (etherboot) options.set(optionCode.etherboot, etherboot)
  for (const [code, value] of more.options ?? []) options.set(code, value)
  return {
    op: 'request',
    htype: 1,
    hops: 0,
    xid: 0x1234_5678,
    secs: 4,
    flags: 0,
    ciaddr: '0.0.0.0',
    yiaddr: '0.0.0.0',
    siaddr: '0.0.0.0',
    giaddr: '0.0.0.0',
    chaddr: Buffer.from(client.mac.replaceAll(':', ''), 'hex'),
    sname: '',
    file: '',
    ...more,
    options,
  }
}
