import type { AutoGuest } from '../core/guest/auto-guest.ts'
import type { GuestIndex } from '../core/guest/match.ts'
import { canonicalIp } from '../core/net/address.ts'

/** Why a machine must not become a guest, by its request and by the definitions of guests. */

/**
 * Programs by which people and scripts look at a configuration. A page can have a browser ask for anything, and no loader
 * calls itself so: iPXE, GRUB, lpxelinux and UEFI HTTP Boot (`UefiHttpBoot/1.0`) have names of their own, or none.
 */
const lookingAgents = /^(?:mozilla|opera|curl|wget|python|lynx|w3m|links|httpie|go-http-client|powershell)/i

export function whyNoLoader(agent: string): string | undefined {
  return lookingAgents.test(agent) ? `a boot loader must ask, and not ${agent.split('/')[0]}` : undefined
}

/** Whether the machine has the address of a guest. PXELINUX asks by its MAC before it asks by that. */
export function whyAddressOf(address: string, { all }: GuestIndex): string | undefined {
  const ip = canonicalIp(address)
  const guest = ip === undefined ? undefined : all.find((each) => each.ip === ip)
  return guest && `${address} is the address of guest ${guest.name}`
}

/**
 * Whether the machine may be a guest that is known by what it has not shown. Loaders show no serial number by TFTP, and
 * some of them no UUID.
 */
export function whyMayBeGuest({ guest: { shown } }: AutoGuest, { all }: GuestIndex): string | undefined {
  for (const [key, shows] of [
    ['uuid', shown?.uuid],
    ['serial', shown?.serial],
  ] as const) {
    const other = shows === undefined && all.find((each) => each[key] !== undefined)
    if (other) return `it has not shown its ${key}, by which it may be guest ${other.name}`
  }
  return undefined
}
