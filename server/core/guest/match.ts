import { canonicalIp } from '../net/address.ts'
import { canonicalMac } from '../net/mac.ts'
import {
  canonicalSerial,
  canonicalUuid,
  isPlaceholderSerial,
  isPlaceholderUuid,
  swapUuid,
} from '../net/uuid.ts'
import { contradicts } from './auto-guest.ts'
import type { Guest, GuestFacts } from './guest.ts'

export interface GuestMatch {
  readonly guest: Guest
  /**
   * The fact that identified it, for people: `mac 52:54:00:aa:bb:01`, `uuid ... (byte-swapped)`, `ip
   * 10.0.0.7`.
   */
  readonly by: string
  /**
   * Whether it was the address alone that identified a guest that has a MAC, a UUID or a serial number as well.
   * Addresses go from machine to machine: no disk may be wiped for that. Or whether the machine shows another UUID or
   * serial number than the one that a profile made this guest.
   */
  readonly isWeak: boolean
}

/** All guests of a snapshot, arranged for recognising machines. */
export interface GuestIndex {
  readonly all: readonly Guest[]
  byName(name: string): Guest | undefined
  /**
   * The strongest fact decides: name, then UUID, serial, MAC, and last the address. Placeholders that many machines
   * share identify nobody, also where a guest is defined by one: its installation would be any stranger's. Nor does an
   * address that a guest has, when the machine there shows another MAC, UUID or serial number than that guest's.
   */
  match(facts: GuestFacts): GuestMatch | undefined
}

/**
 * Arranges guests for recognising machines in constant time. If two guests had one identity (config.yaml
 * refuses that), the first would keep it.
 */
export function createGuestIndex(guests: readonly Guest[]): GuestIndex {
  const names = new Map<string, Guest>()
  const uuids = new Map<string, Guest>()
  const swappedUuids = new Map<string, Guest>()
  const serials = new Map<string, Guest>()
  const macs = new Map<string, Guest>()
  const ips = new Map<string, Guest>()
  for (const guest of guests) {
    claim(names, guest.name, guest)
    claim(uuids, guest.uuid, guest)
    claim(swappedUuids, guest.uuid && swapUuid(guest.uuid), guest)
    claim(serials, guest.serial && canonicalSerial(guest.serial), guest)
    for (const mac of guest.macs) claim(macs, mac, guest)
    claim(ips, guest.ip, guest)
  }

  function byUuid(raw: string): GuestMatch | undefined {
    const uuid = canonicalUuid(raw)
    if (uuid === undefined || isPlaceholderUuid(uuid)) return undefined
    const straight = uuids.get(uuid)
    if (straight) return { guest: straight, by: `uuid ${uuid}`, isWeak: false }
    const swapped = swappedUuids.get(uuid)
    return swapped && { guest: swapped, by: `uuid ${swapped.uuid} (byte-swapped)`, isWeak: false }
  }

  function byMac(facts: GuestFacts): GuestMatch | undefined {
    for (const raw of facts.macs ?? []) {
      const mac = canonicalMac(raw)
      const guest = mac === undefined ? undefined : macs.get(mac)
      if (guest) return { guest, by: `mac ${mac}`, isWeak: isAnotherThanShown(guest, facts) }
    }
    return undefined
  }

  function byAddress(facts: GuestFacts): GuestMatch | undefined {
    const match = found(ips, 'ip', facts.ip, canonicalIp)
    return match && isOtherMachine(match.guest, facts) ? undefined : match
  }

  return {
    all: guests,
    byName: (name) => names.get(name),
    match(facts) {
      const named = facts.name === undefined ? undefined : names.get(facts.name)
      if (named) return { guest: named, by: `name ${named.name}`, isWeak: false }
      return (
        (facts.uuid === undefined ? undefined : byUuid(facts.uuid)) ??
        found(serials, 'serial', facts.serial, tellingSerial) ??
        byMac(facts) ??
        byAddress(facts)
      )
    },
  }
}

/** Whether facts that did not identify a guest are another machine's: they are of a kind that the guest has, too. */
function isOtherMachine({ macs, uuid, serial }: Guest, facts: GuestFacts): boolean {
  const shown = canonicalUuid(facts.uuid ?? '')
  return (
    (macs.length > 0 && (facts.macs ?? []).some((mac) => canonicalMac(mac) !== undefined)) ||
    (uuid !== undefined && shown !== undefined && !isPlaceholderUuid(shown)) ||
    (serial !== undefined && tellingSerial(facts.serial ?? '') !== undefined)
  )
}

function isAnotherThanShown({ shown }: Guest, facts: GuestFacts): boolean {
  const uuid = canonicalUuid(facts.uuid ?? '')
  const serial = tellingSerial(facts.serial ?? '')
  return contradicts(shown, { uuid: uuid && isPlaceholderUuid(uuid) ? undefined : uuid, serial })
}

function hasMachineKey({ macs, uuid, serial }: Guest): boolean {
  return macs.length > 0 || uuid !== undefined || serial !== undefined
}

function tellingSerial(text: string): string | undefined {
  return isPlaceholderSerial(text) ? undefined : canonicalSerial(text)
}

function claim(index: Map<string, Guest>, key: string | undefined, guest: Guest): void {
  if (key !== undefined && !index.has(key)) index.set(key, guest)
}

function found(
  index: ReadonlyMap<string, Guest>,
  what: string,
  raw: string | undefined,
  canonical: (text: string) => string | undefined,
): GuestMatch | undefined {
  const key = raw === undefined ? undefined : canonical(raw)
  const guest = key === undefined ? undefined : index.get(key)
  return guest && { guest, by: `${what} ${key}`, isWeak: what === 'ip' && hasMachineKey(guest) }
}
