import type { YamlMapping, YamlValue } from '../../config/yaml.ts'
import { defined } from '../../core/defined.ts'
import type { Guest, Profile } from '../../core/guest/guest.ts'
import { guestsCsv, type NamedData } from '../csv-guests.ts'
import type { Definitions } from '../definitions.ts'
import { publicVars, withoutSecrets } from '../secrets.ts'
import { type AnsibleHost, ansibleHost, ansibleList, ansibleYaml, type ProfileParents } from './ansible.ts'

export const exportFormats = ['csv', 'json', 'ansible'] as const
export type ExportFormat = (typeof exportFormats)[number]

export interface ExportWanted {
  readonly as: ExportFormat
  /** Of an inventory: the JSON that Ansible expects of an inventory script. */
  readonly list?: boolean
  /** Of an inventory: the variables of the one guest. */
  readonly host?: string
  readonly withSecrets?: boolean
}

export interface ExportPlace {
  readonly definitions: Pick<Definitions, 'list'>
  /** Those that are wanted, in the order of the text. */
  readonly guests: readonly Guest[]
  readonly profiles: ReadonlyMap<string, Profile>
}

export interface Exported {
  readonly text: string
  /** How many secrets were left out. */
  readonly left: number
}

/** The guests as a text for other programs. Secrets are left out, and not starred: who reads the text must not use stars. */
export async function exportGuests(wanted: ExportWanted, place: ExportPlace): Promise<Exported> {
  return wanted.as === 'ansible' ? inventoryText(wanted, place) : definitionsText(wanted, place)
}

function inventoryText(
  { list, host, withSecrets }: ExportWanted,
  { guests, profiles }: ExportPlace,
): Exported {
  const parents = new Map([...profiles].map(([name, { inherits }]) => [name, inherits]))
  const found = guests.map((guest) => ansibleHostOf(guest, parents, withSecrets === true))
  const hosts = found.map((each) => each.host)
  const left = found.reduce((sum, each) => sum + each.left, 0)
  const [first] = hosts
  if (host !== undefined && first) return { text: json(ansibleHost(first)), left }
  return { text: list ? json(ansibleList(hosts, parents)) : ansibleYaml(hosts, parents), left }
}

async function definitionsText(
  { as, withSecrets }: ExportWanted,
  { guests, definitions }: ExportPlace,
): Promise<Exported> {
  let left = 0
  const written = new Map((await definitions.list('guest')).map(({ name, data }) => [name, data]))
  const shown = guests.map(({ name }): NamedData => {
    const own = written.get(name) ?? {}
    if (withSecrets) return { name, data: own }
    const open = withoutSecrets(own)
    left += open.left
    return { name, data: open.data }
  })
  const text = as === 'csv' ? guestsCsv(shown) : json(shown.map(({ name, data }) => ({ name, ...data })))
  return { text, left }
}

function ansibleHostOf(
  guest: Guest,
  parents: ProfileParents,
  withSecrets: boolean,
): { readonly host: AnsibleHost; readonly left: number } {
  const { name, macs, uuid, serial, ip, profiles, settings } = guest
  const all: YamlMapping = Object.fromEntries(
    Object.entries(settings.vars).map(([key, { value }]) => [key, value as YamlValue]),
  )
  const { data, left } = withSecrets ? { data: all, left: 0 } : publicVars(all)
  const treeboot = defined({ mac: [...macs], uuid, serial, profiles: [...profiles] }) as YamlMapping
  const host = {
    name,
    // A variable of the operator's that has one of these names wins.
    vars: { ...defined({ ansible_host: ip }), treeboot, ...data },
    // The others of the chain hold it by these.
    profiles: profiles.filter((profile) => !profiles.some((each) => parents.get(each)?.includes(profile))),
  }
  return { host, left }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
