import { z } from 'zod'
import { addressWords, bondModes, oneInterfaceKeys, parsePrefixed } from '../core/guest/network.ts'
import { canonicalIp } from '../core/net/address.ts'
import { canonicalMac } from '../core/net/mac.ts'
import { canonical, line, oneOf, oneOrMore, section, text } from './schema-parts.ts'

/** The shape of `network:` of a guest or a profile. What shows only when keys are compared is in network-faults.ts. */

const addressText = `an address with the length of its prefix, such as 10.0.0.7/24 or 2001:db8::7/64, or one of ${addressWords.join(', ')}`
const address = canonical((value) => {
  const plain = value.trim()
  if (addressWords.some((word) => word === plain)) return plain
  return parsePrefixed(plain)?.join('/')
}, addressText)

const ipText = 'an IP address without a prefix, such as 10.0.0.1'
const ip = canonical(canonicalIp, ipText)

/** Linux takes at most 15 bytes (IFNAMSIZ). A colon separates the parts of dracut's arguments, and a comma linuxrc's. */
const nameForm = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/
const nameText =
  'the name of an interface, such as eno1: at most 15 letters, digits, dots, dashes and underscores'
const name = text(nameText).refine(
  (value) => nameForm.test(value) && canonicalMac(value) === undefined,
  nameText,
)
const macText = 'a MAC address such as 52:54:00:aa:bb:01'
const cardText = 'the name or the MAC address of an interface, such as eno1 or 52:54:00:aa:bb:01'
const card = canonical((value) => canonicalMac(value) ?? (nameForm.test(value) ? value : undefined), cardText)

const vlanText = 'the number of a VLAN, from 1 to 4094'
const vlan = z.int(vlanText).min(1, vlanText).max(4094, vlanText)

const membersText = `${cardText}, or a list of them`
const bondText = 'a list of interfaces, or a mapping with interfaces and mode'
const bond = z.union(
  [
    z.array(card).transform((interfaces) => ({ interfaces })),
    section({ interfaces: oneOrMore(card, membersText), mode: oneOf(bondModes).optional() }),
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

const addressKeys = {
  address: oneOrMore(address, `${addressText}; or a list of them`).optional(),
  gateway: oneOrMore(ip, `${ipText}, or a list with one of each family`).optional(),
  vlan: vlan.optional(),
  bond: bond.optional(),
}

const networkInterface = section({
  name: name.optional(),
  mac: canonical(canonicalMac, macText).optional(),
  ...addressKeys,
  parent: card.optional(),
})

export const network = section({
  ...addressKeys,
  interface: card.optional(),
  nameservers: oneOrMore(ip, `${ipText}, or a list of them`).optional(),
  search: oneOrMore(domain, `${domainText}, or a list of domains`).optional(),
  interfaces: z.array(networkInterface).min(1).max(64).optional(),
}).superRefine((value, context) => {
  const others = oneInterfaceKeys.filter((key) => value[key] !== undefined)
  if (value.interfaces === undefined || others.length === 0) return
  const message = `either interfaces or the keys of one interface, not both: ${others.join(', ')}`
  context.addIssue({ code: 'custom', message })
})
