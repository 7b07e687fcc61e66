import { defined } from '../../core/defined.ts'
import { canonicalIp } from '../../core/net/address.ts'
import { Entries, type FoundEntry, macOf, macOfClientId, numberedLines, whyNoCard } from './entries.ts'

/**
 * `dhcp-host=` lines of dnsmasq's configuration, and the lines of a `dhcp-hostsfile`, which are the same without the key.
 * dnsmasq(8); what it takes was tried with dnsmasq 2.90: everything with a colon that is none of `id:`, `set:`, `tag:`,
 * `net:` and `[...]` is a hardware address; digits with or without a unit are a lease time; a dotted text that is no IPv4
 * address is a name; of several names or addresses of one family the last counts.
 */
export function parseDnsmasqHosts(text: string): readonly FoundEntry[] {
  const entries = new Entries()
  for (const { line, text: whole } of numberedLines(text)) {
    const value = hostOf(whole)
    if (value === '') entries.skipped(line, undefined, 'it names no host')
    else if (value === undefined) continue
    else if (value === null) entries.faulty(line, undefined, 'dhcp-host needs a value')
    else readHost(line, value, entries)
  }
  return entries.all
}

/** What is behind `dhcp-host=`. Null when nothing is, undefined for any other line. */
function hostOf(whole: string): string | null | undefined {
  const plain = withoutComment(whole).trim()
  const [, value] = /^(?:--)?dhcp-host\s*=(.*)$/.exec(plain) ?? []
  if (value !== undefined) return value.trim()
  if (/^dhcp-host$/.test(plain)) return null
  return isHostsLine(plain) ? plain : undefined
}

/** A line of a dhcp-hostsfile begins with a hardware address, an identifier or a tag. */
export function isHostsLine(plain: string): boolean {
  return /^(?:(?:[0-9a-f]{1,2}-)?(?:(?:[0-9a-f]{1,2}|\*):){5}(?:[0-9a-f]{1,2}|\*)|id:[^,]+|set:[^,]+|tag:[^,]+),/i.test(
    plain,
  )
}

/** Without a comment, which begins at `#` behind a blank, and without the quotes around texts. */
function withoutComment(whole: string): string {
  let isQuoted = false
  let kept = ''
  for (const [at, char] of [...whole].entries()) {
    if (char === '"') isQuoted = !isQuoted
    else if (char === '#' && !isQuoted && (at === 0 || /\s$/.test(kept))) break
    else kept += char
  }
  return kept
}

/** What the parts of one `dhcp-host` say. */
interface Parts {
  name?: string
  readonly macs: string[]
  ip4?: string
  ip6?: string
  readonly notes: string[]
  isIgnored: boolean
  fault?: string
  /** Why it is not one machine. */
  notOne?: string
}

function readHost(line: number, value: string, entries: Entries): void {
  const parts: Parts = { macs: [], notes: [], isIgnored: false }
  for (const part of value.split(',')) readPart(part.trim(), parts)
  const { name, macs, ip4, ip6, notes, isIgnored, fault, notOne } = parts
  const label = name ?? macs[0] ?? ip4
  if (fault !== undefined) entries.faulty(line, label, fault)
  else if (isIgnored) entries.skipped(line, label, 'dnsmasq ignores this machine')
  else if (name !== undefined && /^[\d.]+$/.test(name))
    entries.skipped(line, macs[0], `${name} is no IPv4 address, and dnsmasq takes it for a name`)
  else if (notOne !== undefined && macs.length === 0) entries.skipped(line, label, notOne)
  else {
    if (notOne !== undefined) notes.push(notOne)
    const ips = [ip4, ip6].filter((ip) => ip !== undefined)
    entries.found(line, { macs, ips, notes, ...defined({ name }) })
  }
}

function readPart(part: string, parts: Parts): void {
  if (part === '' || /^(?:set|tag|net):/i.test(part)) return
  if (/^id:/i.test(part)) readClientId(part.slice(3), parts)
  else if (part.startsWith('[') && part.endsWith(']')) readIp6(part.slice(1, -1), parts)
  else if (part.includes(':')) readHardware(part, parts)
  else if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(part) && canonicalIp(part) !== undefined) parts.ip4 = part
  else if (/^[\d ]+[wdhms]?$/i.test(part) || part === 'infinite') return
  else if (part === 'ignore') parts.isIgnored = true
  // legal_hostname() of dnsmasq looks at the first label only; other alphabets are IDN.
  else if (isLabel(part.split('.')[0] ?? '')) parts.name = part.replace(/\.$/, '')
  else parts.fault ??= `${part} is not the name of a host`
}

function isLabel(label: string): boolean {
  return /^(?:[a-z0-9]|[^\p{ASCII}])(?:[\w-]|[^\p{ASCII}])*$/iu.test(label)
}

function readHardware(part: string, parts: Parts): void {
  const [, type = '1', address = ''] = /^(?:([0-9a-f]{1,2})-)?(.*)$/i.exec(part) ?? []
  if (!address.split(':').every((byte) => byte === '*' || /^[0-9a-f]*$/i.test(byte))) {
    parts.fault ??= `${part} is no hardware address`
    return
  }
  const mac = macOf(address)
  if (address.includes('*')) parts.notOne = `${part} is any of many machines`
  else if (mac === undefined) parts.notOne = whyNoCard(part)
  // ARP's types 1 and 6 (RFC 5494) are Ethernet and IEEE 802, with the same addresses.
  else if (Number.parseInt(type, 16) !== 1 && Number.parseInt(type, 16) !== 6)
    parts.notOne = `${part} is not a card of Ethernet`
  else parts.macs.push(mac)
}

function readClientId(id: string, parts: Parts): void {
  const mac = macOfClientId(id)
  if (mac !== undefined) {
    parts.macs.push(mac)
    parts.notes.push('its MAC address is from its client identifier')
  } else
    parts.notOne = id === '*' ? 'it is known by its name alone' : 'its client identifier holds no MAC address'
}

/** `[::56]` is the lower part of an address in each network; `[fd00::10/126]` are several addresses. */
function readIp6(text: string, parts: Parts): void {
  const [address = '', prefix] = text.split('/')
  const ip = canonicalIp(address)
  if (ip === undefined || !address.includes(':') || (prefix !== undefined && !/^\d{1,3}$/.test(prefix)))
    parts.fault ??= `[${text}] is no IPv6 address`
  else if (ip.startsWith('::') || prefix !== undefined)
    parts.notes.push(`[${text}] is left out: it is not one address`)
  else parts.ip6 = ip
}
