import type { ClientFacts } from '../../core/boot/firmware.ts'
import { canonicalMac } from '../../core/net/mac.ts'
import { isNoUuid } from '../../core/net/uuid.ts'
import { userClasses, vendorClass } from './options/classes.ts'
import { etherbootFeatures } from './options/etherboot.ts'
import { clientArchs, machineUuid } from './options/pxe-client.ts'
import type { DhcpPacket } from './packet.ts'

/** ARP hardware types with six-octet addresses that we know machines by: Ethernet and IEEE 802. */
const ethernetLike: ReadonlySet<number> = new Set([1, 6])

/** What a packet says about its sender, in the words of the core. */
export function clientFacts({ htype, chaddr, options }: DhcpPacket): ClientFacts {
  const mac = ethernetLike.has(htype) ? canonicalMac(Buffer.from(chaddr).toString('hex')) : undefined
  const uuid = machineUuid(options)
  const says = vendorClass(options)
  const etherboot = etherbootFeatures(options)
  return {
    archs: clientArchs(options),
    userClasses: userClasses(options),
    ...(mac !== undefined && { mac }),
    ...(uuid !== undefined && !isNoUuid(uuid) && { uuid }),
    ...(says !== undefined && { vendorClass: says }),
    ...(etherboot && { etherboot }),
  }
}
