import { defined } from '../defined.ts'
import { sameUuid } from '../net/uuid.ts'
import type { Guest, Profile } from './guest.ts'
import { type MachineFacts, placeholder } from './machine-facts.ts'
import { type Alternative, alternativeText, type Selected } from './selectors.ts'

/** A guest that a profile with `auto: install` makes of an unknown machine. */
export interface AutoGuest {
  readonly guest: Guest
  readonly profile: string
  /** The keys that selected it, for people. */
  readonly by: string
  /** The content of its file. */
  readonly definition: {
    readonly mac: string
    readonly profile: string
    readonly retry: false
    readonly shown: ShownIdentity
  }
}

/** What a machine showed beside its MAC. One of the two is always there. */
export interface ShownIdentity {
  readonly uuid?: string
  readonly serial?: string
}

/** How many machines a profile makes guests within an hour, unless it says another number. */
export const defaultAutoLimit = 10
/** How many guests profiles may make in all: what a stranger can fill the folder with. */
export const mostAutoGuests = 1000

/**
 * The guest that a selected machine would become. Its name follows from its MAC, so that all requests of one machine
 * name one guest, and no second file is made.
 *
 * It is recognised by its MAC alone. What else it showed is kept beside that (`shown`): by it the second card of the
 * machine is no stranger. A UUID that recognised the guest could be another machine's, named by somebody who wants that
 * one installed.
 *
 * @returns Why the machine has not shown enough, in words that follow "not made a guest: ".
 */
export function autoGuestOf(
  selected: Extract<Selected, { kind: 'profile' }>,
  shown: MachineFacts,
  profiles: ReadonlyMap<string, Profile>,
): AutoGuest | { readonly why: string } {
  const { selector, by, waits } = selected
  const profile = profiles.get(selector.profile)
  if (!profile) return { why: `profile ${selector.profile} is not in force` }
  if (waits.size > 0) return { why: `another profile may still select it by ${[...waits].join(' or ')}` }
  const [mac, second] = new Set(shown.macs)
  if (mac === undefined) return { why: 'it has shown no MAC address' }
  if (second !== undefined) return { why: `it has shown two MAC addresses, ${mac} and ${second}` }
  const identity: ShownIdentity = defined({ uuid: told(shown.uuid), serial: told(shown.serial) })
  if (identity.uuid === undefined && identity.serial === undefined)
    return { why: 'it has shown neither UUID nor serial number, so its second card would be a stranger' }
  const name = autoName(mac)
  const from = `guest ${name}`
  const guest: Guest = {
    name,
    macs: [mac],
    shown: identity,
    profiles: [profile.name, ...profile.inherits],
    settings: { ...profile.settings, retry: { value: false, from } },
    definedAt: `guests.d/${name}.yaml`,
  }
  const definition = { mac, profile: profile.name, retry: false as const, shown: identity }
  return { guest, profile: profile.name, by, definition }
}

/** `auto-525400aabb01` */
export function autoName(mac: string): string {
  return `auto-${mac.replaceAll(':', '')}`
}

/** The MAC in such a name; undefined for any other name. */
export function autoMac(name: string): string | undefined {
  const [, digits] = /^auto-([\da-f]{12})$/.exec(name) ?? []
  return digits?.replace(/..(?!$)/g, '$&:')
}

function told(fact: string | undefined): string | undefined {
  return fact === placeholder ? undefined : fact
}

/**
 * Whether a machine that has the MAC of such a guest shows that it is another one: somebody took the MAC, or the card
 * went into another machine. What is not shown contradicts nothing.
 */
export function contradicts(
  shown: ShownIdentity | undefined,
  facts: { readonly uuid?: string | undefined; readonly serial?: string | undefined },
): boolean {
  if (!shown) return false
  const isOther = shown.uuid !== undefined && facts.uuid !== undefined && !sameUuid(shown.uuid, facts.uuid)
  return (
    isOther || (shown.serial !== undefined && facts.serial !== undefined && shown.serial !== facts.serial)
  )
}

/**
 * Whether a machine shows by its UUID or its serial number that it is the one such a guest was made of. A MAC alone does
 * not say so: somebody may have shown it with a UUID of his own, so that the machine which really has it is installed.
 */
export function confirms(shown: ShownIdentity, facts: Pick<MachineFacts, 'uuid' | 'serial'>): boolean {
  const isSame = shown.uuid !== undefined && facts.uuid !== undefined && sameUuid(shown.uuid, facts.uuid)
  return isSame || (shown.serial !== undefined && shown.serial === facts.serial)
}

/** The shortest beginning of a MAC that `auto: install` takes: the block of one maker. */
const leastMacDigits = 6
/** The shortest prefixes of networks: 65,536 addresses of IPv4, one site of IPv6. */
const leastPrefix = { ipv4: 16, ipv6: 48 } as const

/**
 * Why an alternative selects too much for `auto: install`; undefined for one that is narrow enough. A vendor or an
 * architecture alone selects half of a network.
 */
export function whyTooWide(alternative: Alternative): string | undefined {
  const { uuid, serial, macPrefix = '', subnet } = alternative
  if (uuid !== undefined || serial !== undefined || macPrefix.length >= leastMacDigits) return undefined
  const isIpv6 = subnet?.includes(':') ?? false
  const prefix = Number(subnet?.split('/')[1] ?? (isIpv6 ? 128 : 32))
  if (subnet !== undefined && prefix >= leastPrefix[isIpv6 ? 'ipv6' : 'ipv4']) return undefined
  return `${alternativeText(alternative)} selects too many machines to erase their disks`
}

/** What makes an alternative narrow enough. */
export const narrowerText = `add uuid, serial, a mac-prefix of ${leastMacDigits / 2} octets, or a subnet of /${leastPrefix.ipv4} (IPv6: /${leastPrefix.ipv6}) or longer`
