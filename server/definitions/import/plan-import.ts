import { definitionName } from '../../config/file-schema.ts'
import { isMapping, type YamlMapping, type YamlValue } from '../../config/yaml.ts'
import { defined } from '../../core/defined.ts'
import type { Guest } from '../../core/guest/guest.ts'
import { canonicalIp } from '../../core/net/address.ts'
import { canonicalMac } from '../../core/net/mac.ts'
import { canonicalUuid } from '../../core/net/uuid.ts'
import { sameYaml } from '../yaml-values.ts'
import type { FoundEntry, FoundMachine } from './entries.ts'

/** What becomes of one entry of a file. */
export interface ImportStep {
  readonly line: number
  /** Of the guest, as far as it is known. */
  readonly name?: string
  readonly result: 'add' | 'unchanged' | 'skipped' | 'faulty'
  /** Of what is to be added. */
  readonly data?: YamlMapping
  /** Why it is skipped or faulty, or what of it was left out. */
  readonly why?: string
}

/** What an import meets. */
export interface ImportGround {
  /** All guests of the configuration. */
  readonly guests: readonly Guest[]
  /** Their definitions as they are written. */
  readonly written: ReadonlyMap<string, YamlMapping | undefined>
  readonly profiles: ReadonlySet<string>
  /** The profile of all imported guests, in the place of what the file says. */
  readonly profile?: string
  /** Whether the file is a table of guests, where any doubt is a mistake; other programs' files have their own rules. */
  readonly isOwn: boolean
}

/** Says what becomes of each entry, before the configuration as a whole is asked. Pure. */
export function planImport(entries: readonly FoundEntry[], ground: ImportGround): ImportStep[] {
  const planner = new Planner(ground)
  return entries.map((entry) =>
    entry.result === 'found'
      ? planner.stepOf(entry.line, entry.machine)
      : { line: entry.line, result: entry.result, why: entry.why, ...defined({ name: entry.name }) },
  )
}

class Planner {
  readonly #ground: ImportGround
  readonly #guests: ReadonlyMap<string, Guest>
  /** Identity -> the guest that has it, in words. */
  readonly #owners = new Map<string, string>()
  readonly #names = new Map<string, number>()

  constructor(ground: ImportGround) {
    this.#ground = ground
    this.#guests = new Map(ground.guests.map((guest) => [guest.name, guest]))
    for (const { name, macs, uuid, ip } of ground.guests)
      for (const identity of [...macs, uuid, ip]) if (identity) this.#owners.set(identity, `guest ${name}`)
  }

  stepOf(line: number, machine: FoundMachine): ImportStep {
    const data = this.#dataOf(machine)
    const identities = identitiesIn(data)
    const name = machine.name ?? nameFrom(identities)
    if (name === undefined)
      return this.#doubt(line, undefined, 'nothing in it tells its machine: no MAC address, no address')
    if (!definitionName.safeParse(name).success)
      return this.#doubt(
        line,
        undefined,
        `${name} cannot be the name of a guest: letters, digits, dots, dashes and underscores can`,
      )
    const earlier = this.#names.get(name)
    if (earlier !== undefined) return this.#doubt(line, name, `line ${earlier} has the same name`)
    this.#names.set(name, line)
    const present = this.#guests.get(name)
    if (present || this.#ground.written.has(name)) return this.#besidePresent(line, name, data)
    if (identities.length === 0 && !machine.settings)
      return this.#doubt(line, name, 'nothing in it tells its machine: no MAC address, no address')
    const taken = identities.find((identity) => this.#owners.has(identity))
    if (taken !== undefined)
      return this.#doubt(line, name, `${taken} belongs to ${this.#owners.get(taken)} already`)
    for (const identity of identities) this.#owners.set(identity, `line ${line}`)
    const why = this.#notesOf(machine)
    return { line, name, result: 'add', data, ...(why === '' ? {} : { why }) }
  }

  #doubt(line: number, name: string | undefined, why: string): ImportStep {
    return { line, result: this.#ground.isOwn ? 'faulty' : 'skipped', why, ...defined({ name }) }
  }

  #besidePresent(line: number, name: string, data: YamlMapping): ImportStep {
    const written = this.#ground.written.get(name)
    const different = Object.keys(data).filter((key) => !hasAll(written?.[key], data[key], key))
    if (different.length === 0) return { line, name, result: 'unchanged' }
    const how = `"treeboot guests set ${name}" changes it`
    return {
      line,
      name,
      result: 'skipped',
      why: `there is a guest ${name} with other settings (${different.join(', ')}); ${how}`,
    }
  }

  #dataOf({ settings, macs, uuid, ips, name, hostname, profile }: FoundMachine): YamlMapping {
    if (settings) {
      return { ...settings, ...defined({ profile: this.#ground.profile ?? settings.profile }) }
    }
    const own = profile !== undefined && this.#ground.profiles.has(profile) ? profile : undefined
    return {
      ...defined({
        mac: macs.length > 1 ? [...new Set(macs)] : macs[0],
        uuid,
        ip: ips[0],
        profile: this.#ground.profile ?? own,
      }),
      ...(hostname === undefined || hostname === name ? {} : { vars: { hostname } }),
    }
  }

  #notesOf({ notes, ips, profile }: FoundMachine): string {
    const all = [...notes]
    if (ips.length > 1) all.push(`of its addresses only ${ips[0]} is taken`)
    if (profile !== undefined && this.#ground.profile === undefined && !this.#ground.profiles.has(profile))
      all.push(`its profile ${profile} is left out: there is none of this name`)
    return all.join('; ')
  }
}

/** Without a name of its own, a guest is called by its MAC address, its UUID or its address. */
function nameFrom([first]: readonly string[]): string | undefined {
  return first?.replaceAll(':', '-').replace(/^-+/, '')
}

function identitiesIn(data: YamlMapping): string[] {
  const macs = Array.isArray(data.mac) ? data.mac : [data.mac]
  const canonical = (value: YamlValue | undefined, read: (text: string) => string | undefined) =>
    typeof value === 'string' || typeof value === 'number' ? (read(String(value)) ?? []) : []
  return [
    ...macs.flatMap((mac) => canonical(mac, canonicalMac)),
    ...[canonical(data.uuid, canonicalUuid)].flat(),
    ...[canonical(data.ip, canonicalIp)].flat(),
  ]
}

/** Whether what is written has all that an entry says. */
function hasAll(written: YamlValue | undefined, said: YamlValue | undefined, key: string): boolean {
  if (written === undefined || said === undefined) return false
  if (isMapping(written) && isMapping(said))
    return Object.keys(said).every((inner) => hasAll(written[inner], said[inner], inner))
  if (!['mac', 'uuid', 'ip', 'profile', 'serial'].includes(key)) return sameYaml(written, said)
  const [has, wants] = [written, said].map((value) =>
    (Array.isArray(value) ? value : [value]).map((item) => spelled(key, item)),
  )
  return wants?.every((each) => has?.includes(each)) === true
}

function spelled(key: string, value: YamlValue): string {
  const text = String(value)
  if (key === 'mac') return canonicalMac(text) ?? text
  if (key === 'uuid') return canonicalUuid(text) ?? text
  return key === 'ip' ? (canonicalIp(text) ?? text) : text
}
