import { z } from 'zod'
import { addressWords, bondModes, oneInterfaceKeys, parsePrefixed } from '../core/guest/network.ts'
import { canonicalIp } from '../core/net/address.ts'
import { canonicalMac, cardMac } from '../core/net/mac.ts'
import { canonical, line, oneOf, oneOrMore, section, text } from './schema-parts.ts'

/** The shape of `network:` of a guest or a profile. What shows only when keys are compared is in network-faults.ts. */

const addressText = `an address with the length of its prefix, such as 10.0.0.7/24 or 2001:db8::7/64, or one of ${addressWords.join(', ')}`
const address = canonical((value) => {
  const plain = value.trim()
  if (addressWords.some((word) => word === plain)) return plain
  return isPlainIp(plain) ? parsePrefixed(plain)?.join('/') : undefined
}, addressText)

const ipText = 'an IP address without a prefix or a zone, such as 10.0.0.1'
const ip = canonical((value) => (isPlainIp(value) ? canonicalIp(value) : undefined), ipText)

/**
 * What `canonicalIp` drops means something here: a zone (`%eth0`) names an interface of another machine, and the prefix of
 * an IPv4 address that is written as an IPv6 one is another number.
 */
function isPlainIp(value: string): boolean {
  return (
    !value.includes('%') &&
    !(value.includes(':') && value.includes('.')) &&
    !/^\[?[0:]*:ffff:/i.test(value.trim())
  )
}

/** Linux takes at most 15 bytes (IFNAMSIZ). A colon separates the parts of dracut's arguments, and a comma linuxrc's. */
const nameForm = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/
/**
 * Names that mean something else: to Linux (its loopback, its sysctls, the file of its bonds), or as a word where installers
 * take a name (`--device=link` of kickstart, `interface=auto` of netcfg, the methods of dracut's `ip=`). netplan and systemd
 * take no number for a name.
 */
const otherWords: ReadonlySet<string> = new Set([
  ...[
    'lo',
    'all',
    'default',
    'bonding_masters',
    'link',
    'bootif',
    'ibft',
    'auto',
    'wired',
    'any',
    'none',
    'on',
    'off',
  ],
  ...addressWords,
])
const nameText =
  'the name of an interface, such as eno1: at most 15 letters, digits, dots, dashes and underscores, and no word such as lo, all, link or auto'
const isName = (value: string) =>
  nameForm.test(value) &&
  canonicalMac(value) === undefined &&
  !otherWords.has(value.toLowerCase()) &&
  !/^\d+$/.test(value)
const name = text(nameText).refine(isName, nameText)
const macText = 'the MAC address of one card, such as 52:54:00:aa:bb:01'
const cardText = 'the name or the MAC address of an interface, such as eno1 or 52:54:00:aa:bb:01'
const card = canonical((value) => cardMac(value) ?? (isName(value) ? value : undefined), cardText)

const vlanText = 'the number of a VLAN, from 1 to 4094'
const vlan = z.int(vlanText).min(1, vlanText).max(4094, vlanText)

const membersText = `${cardText}, or a list of them`
const bondText = 'a list with an interface or more, or a mapping with interfaces and mode'
const most = 64
const bond = z.union(
  [
    z
      .array(card)
      .min(1, bondText)
      .max(most, bondText)
      .transform((interfaces) => ({ interfaces })),
    section({
      interfaces: oneOrMore(card, membersText, most).refine(({ length }) => length > 0, membersText),
      mode: oneOf(bondModes).optional(),
    }),
  ],
  { error: bondText },
)

/** RFC 1123, 2.1. */
const domainText = 'a DNS domain, such as example.org'
const domain = line(domainText).refine(
  (value) =>
    /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.|$))+$/i.test(value) && !value.endsWith('.'),
  domainText,
)

/** More than any resolver asks, and few enough for a command line. */
const mostNames = 16

const addressKeys = {
  address: oneOrMore(address, `${addressText}; or a list of them`).optional(),
  gateway: oneOrMore(ip, `${ipText}, or a list with one of each family`).optional(),
  vlan: vlan.optional(),
  bond: bond.optional(),
}

const networkInterface = section({
  name: name.optional(),
  mac: canonical(cardMac, macText).optional(),
  ...addressKeys,
  parent: card.optional(),
})

export const network = section({
  ...addressKeys,
  interface: card.optional(),
  nameservers: oneOrMore(ip, `${ipText}, or a list of at most ${mostNames}`, mostNames).optional(),
  search: oneOrMore(domain, `${domainText}, or a list of at most ${mostNames}`, mostNames).optional(),
  interfaces: z.array(networkInterface).min(1).max(most).optional(),
}).superRefine((value, context) => {
  const others = oneInterfaceKeys.filter((key) => value[key] !== undefined)
  if (value.interfaces === undefined || others.length === 0) return
  const message = `either interfaces or the keys of one interface, not both: ${others.join(', ')}`
  context.addIssue({ code: 'custom', message })
})
