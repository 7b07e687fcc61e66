import { canonicalIp } from '../net/address.ts'
import { canonicalMac } from '../net/mac.ts'
import { canonicalSerial, canonicalUuid, isPlaceholderUuid } from '../net/uuid.ts'

/** What a machine that is not a guest told about itself when it asked for boot, as sent. */
export interface SeenMachine {
  readonly macs?: readonly string[]
  readonly uuid?: string
  readonly serial?: string
  /** The firmware that DHCP option 93 or a loader tells: `uefi-x64`, `bios`. */
  readonly firmware?: string
  /** Vendor class (DHCP option 60), or the vendor that SMBIOS names. */
  readonly vendor?: string
  readonly address?: string
}

/**
 * An unknown machine, as the store keeps it. Identities are canonical; what the machine never told is absent.
 */
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
  /** How many times it asked. One boot asks several times. */
  readonly count: number
}

/** What an unknown machine told about itself, with null for what it never told: for JSON and the store. */
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

/** Longer texts are cut, so that nobody can fill the table with them. */
const maxLength = 128

/**
 * The unknown machine that one request showed. Undefined without a MAC or UUID, which tell machines apart.
 */
export function machineOf(seen: SeenMachine, atMs: number): UnknownMachine | undefined {
  const mac = first(seen.macs ?? [], canonicalMac)
  const uuid = seen.uuid === undefined || isPlaceholderUuid(seen.uuid) ? undefined : canonicalUuid(seen.uuid)
  const id = mac ?? uuid
  if (id === undefined) return undefined
  const serial = seen.serial === undefined ? undefined : canonicalSerial(seen.serial)
  const address = seen.address === undefined ? undefined : canonicalIp(seen.address)
  return {
    id,
    ...(mac !== undefined && { mac }),
    ...(uuid !== undefined && { uuid }),
    ...(serial !== undefined && { serial }),
    ...(seen.firmware && { firmware: short(seen.firmware) }),
    ...(seen.vendor && { vendor: short(seen.vendor) }),
    ...(address !== undefined && { address }),
    firstMs: atMs,
    lastMs: atMs,
    count: 1,
  }
}

/** Joins two records of one machine: the values of `later` win, and `earlier` fills its gaps. */
export function mergeSeen(earlier: UnknownMachine, later: UnknownMachine): UnknownMachine {
  const merged = { ...earlier, ...later }
  return {
    ...merged,
    id: merged.mac ?? merged.id,
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
  return text.replace(/[\x00-\x1f\x7f]+/g, ' ').slice(0, maxLength)
}
