import { isMapping, type YamlMapping, type YamlValue } from '../../config/yaml.ts'
import { defined } from '../../core/defined.ts'
import { canonicalIp } from '../../core/net/address.ts'
import { Entries, type FoundEntry, macOf, numberedLines, whyNoCard } from './entries.ts'
import { parseJsonData } from './json-data.ts'

/**
 * Systems of Cobbler: what `cobbler system dumpvars --name=...` prints, for one system or for several one after the
 * other, or JSON of systems, as in `/var/lib/cobbler/collections/systems/` (one object, or a list of them).
 */
export function parseCobblerSystems(text: string): readonly FoundEntry[] {
  const entries = new Entries()
  if (/^\s*[[{]/.test(text)) readJson(text, entries)
  else for (const dump of dumpsIn(text)) readSystem(dump, entries)
  return entries.all
}

/** One system, whichever way it was written. */
interface System {
  readonly line: number
  readonly name: string
  readonly hostname: string
  readonly profile: string
  readonly cards: readonly Card[]
}

interface Card {
  readonly type: string
  readonly mac: string
  readonly ips: readonly string[]
}

function readSystem({ line, name, hostname, profile, cards }: System, entries: Entries): void {
  if (name === '') {
    entries.faulty(line, undefined, 'the system has no name')
    return
  }
  const macs: string[] = []
  const notes: string[] = []
  for (const { type, mac } of cards) {
    const own = macOf(mac)
    // Cobbler fills in an address for `random` when the system is saved; a service processor is no card of the machine.
    if (mac === '' || mac === 'random') continue
    if (type === 'bmc') notes.push(`${mac} is left out: it is a service processor`)
    else if (own === undefined) {
      entries.faulty(line, name, whyNoCard(mac))
      return
    } else macs.push(own)
  }
  const ips = cards.filter(({ type }) => type !== 'bmc').flatMap((card) => card.ips)
  entries.found(line, {
    name,
    macs,
    ips: ips.flatMap((ip) => canonicalIp(ip) ?? []),
    notes,
    ...defined({
      hostname: hostname === '' || hostname === name ? undefined : hostname,
      profile: profile === '' ? undefined : profile,
    }),
  })
}

function readJson(text: string, entries: Entries): void {
  const { value, lineOf } = parseJsonData(text)
  const lists = isMapping(value) && Array.isArray(value.systems) ? value.systems : value
  const path = lists === value ? [] : ['systems']
  const items: (readonly [YamlValue, number])[] = Array.isArray(lists)
    ? lists.map((item, i) => [item, lineOf([...path, i])])
    : [[lists, lineOf(path)]]
  for (const [item, line] of items) {
    if (isMapping(item)) readSystem(systemOf(item, line), entries)
    else entries.faulty(line, undefined, 'a system is an object in { }')
  }
}

function systemOf(written: YamlMapping, line: number): System {
  const interfaces = isMapping(written.interfaces) ? Object.values(written.interfaces) : []
  return {
    line,
    name: textAt(written, 'name'),
    hostname: textAt(written, 'hostname'),
    profile: textAt(written, 'profile'),
    cards: interfaces.filter(isMapping).map((card) => ({
      type: textAt(card, 'interface_type').toLowerCase(),
      mac: textAt(card, 'mac_address'),
      ips: [textAt(card, 'ip_address'), textAt(card, 'ipv6_address')].filter((ip) => ip !== ''),
    })),
  }
}

function textAt(mapping: YamlMapping, key: string): string {
  const value = mapping[key]
  return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : ''
}

/** `key : value` lines, sorted by key. A key that comes again begins the next system. */
function dumpsIn(text: string): System[] {
  const dumps: { line: number; values: Map<string, string> }[] = []
  for (const { line, text: whole } of numberedLines(text)) {
    const [, key, value = ''] = /^([A-Za-z_][\w.:-]*?)\s*:\s(.*)$/.exec(`${whole} `) ?? []
    if (key === undefined) continue
    const last = dumps.at(-1)
    if (last && !last.values.has(key)) last.values.set(key, value.trim())
    else dumps.push({ line, values: new Map([[key, value.trim()]]) })
  }
  return dumps.map(({ line, values }) => systemOfDump(line, values))
}

function systemOfDump(line: number, values: ReadonlyMap<string, string>): System {
  const at = (key: string): string => values.get(key) ?? ''
  const names = [...values.keys()].flatMap((key) => /^mac_address_(.+)$/.exec(key)?.[1] ?? [])
  return {
    line,
    name: at('system_name') || at('name'),
    hostname: at('hostname'),
    profile: at('profile_name') || at('profile'),
    cards: names.map((name) => ({
      type: at(`interface_type_${name}`).toLowerCase(),
      mac: at(`mac_address_${name}`),
      ips: [at(`ip_address_${name}`), at(`ipv6_address_${name}`)].filter((ip) => ip !== ''),
    })),
  }
}
