import type { RawFacts } from '../core/guest/machine-facts.ts'
import { canonicalMac } from '../core/net/mac.ts'
import { canonicalUuid, swapUuid } from '../core/net/uuid.ts'
import { lru } from '../host/lru.ts'

/** A machine boots long before so many others have asked by DHCP. */
const mostMachines = 10_000

type ShownByDhcp = Pick<RawFacts, 'archs' | 'vendorClass'>

/**
 * Which MAC and which UUID belong to the same machine, as its DHCP requests name them. Loaders later name
 * only one of the two: Debian's signed GRUB the MAC, PXELINUX and GRUB's `grub.cfg-<uuid>` the UUID. Kept
 * in memory only, because a machine asks by DHCP each time it boots.
 */
export class MachineNames {
  readonly #uuids = lru<string, string>(mostMachines)
  readonly #macs = lru<string, string>(mostMachines)
  readonly #shown = lru<string, ShownByDhcp>(mostMachines)

  learn(mac: string, uuidText: string): void {
    const uuid = canonicalUuid(uuidText)
    if (uuid === undefined) return
    this.#uuids.set(mac, uuid)
    this.#macs.set(uuid, mac)
  }

  /** What a DHCP request of this MAC told beside its names. A later request of the same boot may tell less. */
  show(mac: string, shown: ShownByDhcp): void {
    this.#shown.set(mac, { ...this.#shown.peek(mac), ...shown })
  }

  /** All that DHCP requests told of the machine with one of these MACs, or with this UUID. */
  shown({ macs, uuid }: Pick<RawFacts, 'macs' | 'uuid'>): RawFacts {
    const known = macs?.map((mac) => canonicalMac(mac) ?? mac) ?? []
    const ofUuid = uuid === undefined || known.length > 0 ? undefined : this.macOf(uuid)
    const names = ofUuid === undefined ? known : [ofUuid]
    const shown = names.map((mac) => this.#shown.peek(mac)).find((each) => each !== undefined)
    return { ...shown, ...(names.length > 0 && { macs: names }) }
  }

  uuidOf(mac: string): string | undefined {
    return this.#uuids.peek(mac)
  }

  /** The MAC that belongs to a UUID in either byte order. */
  macOf(text: string): string | undefined {
    const uuid = canonicalUuid(text)
    return uuid === undefined ? undefined : (this.#macs.peek(uuid) ?? this.#macs.peek(swapUuid(uuid)))
  }
}
