import type { ClientFacts } from '../../core/boot/firmware.ts'
import { defined } from '../../core/defined.ts'
import { canonicalMac } from '../../core/net/mac.ts'
import { userClasses, vendorClass } from './options/classes.ts'
import { etherbootFeatures } from './options/etherboot.ts'
import { clientArchs, machineUuid } from './options/pxe-client.ts'
import type { DhcpPacket } from './packet.ts'

/**
 * ARP hardware types whose addresses are MAC addresses of six octets: Ethernet and IEEE 802. Guests are
 * identified by such addresses.
 */
const ethernetLike: ReadonlySet<number> = new Set([1, 6])

/** The MAC address of the sender; undefined when its network has another kind of address. */
export function macOf({ htype, chaddr }: DhcpPacket): string | undefined {
  return ethernetLike.has(htype) ? canonicalMac(Buffer.from(chaddr).toString('hex')) : undefined
}

/** What a packet says about its sender, in the terms of the core. `mac`: for a caller that has it already. */
export function clientFacts(packet: DhcpPacket, mac = macOf(packet)): ClientFacts {
  const { options } = packet
  return defined({
    archs: clientArchs(options),
    userClasses: userClasses(options),
    mac,
    uuid: machineUuid(options),
    vendorClass: vendorClass(options),
    etherboot: etherbootFeatures(options),
  })
}
