import { canonicalUuid, swapUuid } from '../core/net/uuid.ts'
import { lru } from '../host/lru.ts'

/** A machine boots long before so many others have asked by DHCP. */
const mostMachines = 10_000

/**
 * Which MAC and which UUID belong to the same machine, as its DHCP requests name them. Loaders later name
 * only one of the two: Debian's signed GRUB the MAC, PXELINUX and GRUB's `grub.cfg-<uuid>` the UUID. Kept
 * in memory only, because a machine asks by DHCP each time it boots.
 */
export class MachineNames {
  readonly #uuids = lru<string, string>(mostMachines)
  readonly #macs = lru<string, string>(mostMachines)

  learn(mac: string, uuidText: string): void {
    const uuid = canonicalUuid(uuidText)
    if (uuid === undefined) return
    this.#uuids.set(mac, uuid)
    this.#macs.set(uuid, mac)
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
