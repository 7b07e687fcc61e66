import type { Snapshot } from '../catalog/snapshot.ts'
import type { BootFacts } from '../core/boot/plan-boot.ts'
import { defined } from '../core/defined.ts'
import type { Guest } from '../core/guest/guest.ts'
import { type MachineFacts, machineFacts } from '../core/guest/machine-facts.ts'
import type { Selected } from '../core/guest/selectors.ts'
import type { Requester } from '../core/net/requester.ts'
import { isPlaceholderUuid } from '../core/net/uuid.ts'
import type { BootMachines } from '../machines/boot-machines.ts'

/** Which machine asks for a boot configuration, and what is known of it. */

/**
 * What a request tells of its sender besides the path. LPXELINUX sends a cookie; our scripts add a query. The
 * address is '' when the client has gone already.
 */
export function factsOf({ macs, uuid, serial, address }: Requester): BootFacts {
  return defined({
    macs,
    uuid: uuid !== undefined && isPlaceholderUuid(uuid) ? undefined : uuid,
    serial,
    ip: address === '' ? undefined : address,
  })
}

/**
 * The guest with these facts, and the facts with the UUID that DHCP requests named for the MAC. Debian's
 * signed GRUB sends only the MAC, even when the guest is configured by its UUID.
 *
 * A weak match is none. PXELINUX asks by UUID and MAC before it asks by address, and so does the shared `grub.cfg`:
 * who gets so far is mostly another machine, which has the address now.
 */
export function recognise(
  machines: Pick<BootMachines, 'uuidOf'>,
  facts: BootFacts,
  { guests }: Pick<Snapshot, 'guests'>,
): { guest: Guest | undefined; facts: BootFacts } {
  const match = guests.match(facts)
  const guest = match?.isWeak ? undefined : match?.guest
  // Of a guest that a profile made, the UUID must not be another one.
  if ((guest && !guest.shown) || facts.uuid !== undefined) return { guest, facts }
  const uuid = facts.macs?.map((mac) => machines.uuidOf(mac)).find((each) => each !== undefined)
  return uuid === undefined ? { guest, facts } : recognise(machines, { ...facts, uuid }, { guests })
}

/** What is known of an unknown machine: by this request, and by the DHCP requests of the same MAC or UUID. */
export function shownBy(
  machines: Pick<BootMachines, 'shownByDhcp'>,
  { macs, uuid, serial }: BootFacts,
  { address, vendor }: Requester,
): MachineFacts {
  const byDhcp = machines.shownByDhcp(defined({ macs, uuid }))
  const known = macs && macs.length > 0 ? macs : byDhcp.macs
  return machineFacts({ ...byDhcp, macs: known, uuid, serial, maker: vendor, address })
}

/**
 * Whether a loader that asks for one name after the other must go on. PXELINUX asks by UUID, then by MAC, then for
 * `default`: what a MAC may change is decided when it is shown.
 */
export function isLeftToNext(selected: Selected | undefined, { macs = [], shown }: BootFacts): boolean {
  if (!selected) return false
  if (selected.kind !== 'profile') return true
  if (selected.selector.auto === 'install') return macs.length === 0
  return shown?.macs.length === 0 && selected.waits.has('macPrefix')
}
