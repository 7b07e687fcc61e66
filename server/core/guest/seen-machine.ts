import { canonicalIp } from '../net/address.ts'
import { canonicalMac } from '../net/mac.ts'
import { canonicalSerial, canonicalUuid } from '../net/uuid.ts'

/** What a machine that is no guest showed of itself when it asked for boot. Every field as the client sent it. */
export interface SeenMachine {
  readonly macs?: readonly string[]
  readonly uuid?: string
  readonly serial?: string
  /** As DHCP option 93 or a loader tells: `uefi-x64`, `bios`. */
  readonly firmware?: string
  /** Vendor class (DHCP option 60), or the vendor that SMBIOS names. */
  readonly vendor?: string
  readonly address?: string
}

/** A machine in the inbox. Identities are canonical; what it never showed is absent. */
export interface UnknownMachine {
  /** Its MAC address, or its UUID while no MAC is known. */
  readonly id: string
  readonly mac?: string
  readonly uuid?: string
  readonly serial?: string
  readonly firmware?: string
  readonly vendor?: string
  readonly address?: string
  readonly firstMs: number
  readonly lastMs: number
  /** How many times it asked. A boot asks several times. */
  readonly count: number
}

/** What a machine showed of itself, with null for what it never showed: as JSON and the store have it. */
export function shownOrNull({ mac, uuid, serial, firmware, vendor, address }: UnknownMachine) {
  return {
    mac: mac ?? null,
    uuid: uuid ?? null,
    serial: serial ?? null,
    firmware: firmware ?? null,
    vendor: vendor ?? null,
    address: address ?? null,
  }
}

/** Longer texts say nothing and fill the table. */
const longest = 128

/** The machine of one seenMachine; undefined when nothing in it tells one machine from another. */
export function machineOf(seenMachine: SeenMachine, atMs: number): UnknownMachine | undefined {
  const mac = first(seenMachine.macs ?? [], canonicalMac)
  const uuid = seenMachine.uuid === undefined ? undefined : canonicalUuid(seenMachine.uuid)
  const id = mac ?? uuid
  if (id === undefined) return undefined
  const serial = seenMachine.serial === undefined ? undefined : canonicalSerial(seenMachine.serial)
  const address = seenMachine.address === undefined ? undefined : canonicalIp(seenMachine.address)
  return {
    id,
    ...(mac !== undefined && { mac }),
    ...(uuid !== undefined && { uuid }),
    ...(serial !== undefined && { serial }),
    ...(seenMachine.firmware && { firmware: short(seenMachine.firmware) }),
    ...(seenMachine.vendor && { vendor: short(seenMachine.vendor) }),
    ...(address !== undefined && { address }),
    firstMs: atMs,
    lastMs: atMs,
    count: 1,
  }
}

/** Two looks at one machine as one: the later one knows better, the earlier one may know more. */
export function mergeSeen(earlier: UnknownMachine, later: UnknownMachine): UnknownMachine {
  const both = { ...earlier, ...later }
  return {
    ...both,
    id: both.mac ?? both.id,
    firstMs: Math.min(earlier.firstMs, later.firstMs),
    lastMs: Math.max(earlier.lastMs, later.lastMs),
    count: earlier.count + later.count,
  }
}

function first(texts: readonly string[], read: (text: string) => string | undefined): string | undefined {
  for (const text of texts) {
    const found = read(text)
    if (found !== undefined) return found
  }
  return undefined
}

function short(text: string): string {
  return text.replace(/[\x00-\x1f\x7f]+/g, ' ').slice(0, longest)
}
