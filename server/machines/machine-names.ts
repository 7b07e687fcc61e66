import { keepNewest } from '../core/keep-newest.ts'
import { canonicalUuid, swapUuid } from '../core/net/uuid.ts'

/**
 * Which MAC and which UUID are one machine, as their DHCP requests have said. A loader that runs later tells us one of the
 * two: Debian's signed GRUB its MAC alone, PXELINUX and GRUB's `grub.cfg-<uuid>` the UUID alone.
 */
export interface MachineNames {
  met(mac: string, uuid: string): void
  uuidOf(mac: string): string | undefined
  /** Of a UUID in either byte order. */
  macOf(uuid: string): string | undefined
}

/** Forgotten with the process, and bounded: a machine asks by DHCP each time it boots. */
export function createMachineNames(mostMachines = 10_000): MachineNames {
  const uuids = new Map<string, string>()
  const macs = new Map<string, string>()
  return {
    met(mac, text) {
      const uuid = canonicalUuid(text)
      if (uuid === undefined) return
      keepNewest(uuids, mac, uuid, mostMachines)
      keepNewest(macs, uuid, mac, mostMachines)
    },
    uuidOf: (mac) => uuids.get(mac),
    macOf(text) {
      const uuid = canonicalUuid(text)
      return uuid === undefined ? undefined : (macs.get(uuid) ?? macs.get(swapUuid(uuid)))
    },
  }
}
