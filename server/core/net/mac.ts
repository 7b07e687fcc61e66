/** MAC addresses in one spelling: from the text that a client sent to the canonical form, or undefined. */
import { requestLimits } from '../limits/requests.ts'

/** Longer than every valid spelling. Longer text is refused without parsing. */
const maxLength = requestLimits.identity.bytes

const macForm =
  /^(?:0[16][:-])?([0-9a-f]{2})([:.-]?)([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})$/i
/** The address of a group, as in IEEE 802 (the lowest bit of the first octet), or of no card. */
const noCardForm = /^(?:[0-9a-f][13579bdf]|00(?::00){5}$)/

/** `canonicalMac` for what must be the address of one card: broadcast, multicast and zero addresses are refused. */
export function cardMac(text: string): string | undefined {
  const mac = canonicalMac(text)
  return mac === undefined || noCardForm.test(mac) ? undefined : mac
}

const ciscoMacForm = /^([0-9a-f]{2})([0-9a-f]{2})\.([0-9a-f]{2})([0-9a-f]{2})\.([0-9a-f]{2})([0-9a-f]{2})$/i

/**
 * The canonical spelling of a MAC address, or undefined: lower case with colons. Accepted are `:`, `-`, `.`
 * or nothing between the bytes, Cisco's `5254.00aa.bb01`, any case, `%3A` (iPXE escapes the colons of a
 * variable), and the hardware type that PXELINUX, GRUB and the cookie `_Syslinux_BOOTIF` put in front: `01-`
 * Ethernet, `06-` IEEE 802.
 */
export function canonicalMac(text: string): string | undefined {
  if (text.length > maxLength) return undefined
  const plain = text.trim().replace(/%3a/gi, ':')
  const match = macForm.exec(plain)
  if (match) {
    const [, first, , ...rest] = match
    return [first, ...rest].join(':').toLowerCase()
  }
  const cisco = ciscoMacForm.exec(plain)
  return cisco ? cisco.slice(1).join(':').toLowerCase() : undefined
}
