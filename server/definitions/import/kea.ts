import { isMapping, type YamlMapping, type YamlPath, type YamlValue } from '../../config/yaml.ts'
import { defined } from '../../core/defined.ts'
import { canonicalIp } from '../../core/net/address.ts'
import { Entries, type FoundEntry, identityOfDuid, macOf, macOfClientId, whyNoCard } from './entries.ts'
import { parseJsonData } from './json-data.ts'

/** By one of these, and no second one, a reservation knows its machine: Kea 2.2, 8.3.3 and 9.3.3. */
const identifiers = ['hw-address', 'duid', 'client-id', 'circuit-id', 'flex-id'] as const

/** Host reservations of Kea for DHCPv4 and DHCPv6: of all networks, of a subnet, and of subnets in shared networks. */
export function parseKeaReservations(text: string): readonly FoundEntry[] {
  const { value, lineOf, includes } = parseJsonData(text)
  const entries = new Entries()
  for (const { line, file } of includes)
    entries.skipped(line, undefined, `${file} is not read: import it as well, if it has reservations`)
  for (const { path, written } of reservationsIn(value, [])) readReservation(lineOf(path), written, entries)
  return entries.all
}

function* reservationsIn(
  here: YamlValue | undefined,
  path: YamlPath,
): Generator<{ readonly path: YamlPath; readonly written: YamlValue }> {
  if (typeof here !== 'object' || here === null) return
  const isList = path.at(-1) === 'reservations' && Array.isArray(here)
  for (const [key, inner] of Object.entries(here)) {
    const below = [...path, Array.isArray(here) ? Number(key) : key]
    if (isList) yield { path: below, written: inner }
    else yield* reservationsIn(inner, below)
  }
}

function readReservation(line: number, written: YamlValue, entries: Entries): void {
  if (!isMapping(written)) {
    entries.faulty(line, undefined, 'a reservation is an object in { }')
    return
  }
  const name = textAt(written, 'hostname')?.replace(/\.$/, '') || undefined
  const given = identifiers.filter((key) => written[key] !== undefined)
  const fault = whyFaulty(written, given)
  const [key = 'hw-address'] = given
  if (fault !== undefined) entries.faulty(line, name, fault)
  else
    readMachine(line, { key, id: textAt(written, key) ?? '', name, addresses: addressesOf(written) }, entries)
}

interface Reservation {
  readonly key: (typeof identifiers)[number]
  readonly id: string
  readonly name: string | undefined
  readonly addresses: readonly string[]
}

function readMachine(line: number, { key, id, name, addresses }: Reservation, entries: Entries): void {
  const { mac, uuid } = identityOf(key, id)
  const ips = addresses.flatMap((each) => canonicalIp(each) ?? [])
  if (mac === undefined && uuid === undefined && ips.length === 0) {
    entries.skipped(line, name, key === 'hw-address' ? whyNoCard(id) : `its ${key} holds no MAC address`)
    return
  }
  const origin = key === 'duid' ? 'DUID' : 'client identifier'
  const isDerived = mac !== undefined && key !== 'hw-address'
  const notes = isDerived ? [`its MAC address is from its ${origin}`] : []
  entries.found(line, { macs: mac === undefined ? [] : [mac], ips, notes, ...defined({ name, uuid }) })
}

function identityOf(key: Reservation['key'], id: string): { readonly mac?: string; readonly uuid?: string } {
  if (key === 'duid') return identityOfDuid(id)
  if (key === 'hw-address') return defined({ mac: macOf(id) })
  return key === 'client-id' ? defined({ mac: macOfClientId(id) }) : {}
}

/** Why Kea refuses a reservation. */
function whyFaulty(written: YamlMapping, given: readonly string[]): string | undefined {
  const [key = ''] = given
  if (given.length !== 1)
    return `expected one of ${identifiers.join(', ')}, found ${given.length === 0 ? 'none' : given.join(' and ')}`
  const id = textAt(written, key) ?? ''
  if (id === '') return `${key} is empty`
  if (!/^'.*'$/.test(id) && !/^(?:0x)?[0-9a-f]{1,2}(?:[: ]?[0-9a-f]{1,2})*$/i.test(id))
    return `${key} ${id} is not hexadecimal`
  const wrong = addressesOf(written).find((each) => canonicalIp(each) === undefined)
  return wrong === undefined ? undefined : `${wrong} is not an address`
}

function addressesOf(written: YamlMapping): string[] {
  const one = textAt(written, 'ip-address')
  const several = written['ip-addresses']
  const list = Array.isArray(several) ? several.map(String) : []
  return [...(one === undefined ? [] : [one]), ...list].map((each) => each.trim())
}

/** The reader of YAML gives digits alone as a number. */
function textAt(mapping: YamlMapping, key: string): string | undefined {
  const value = mapping[key]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}
