import { Document, isScalar, visit } from 'yaml'
import { isMapping, type YamlMapping, type YamlValue } from '../../config/yaml.ts'

/** What Ansible is told of a guest. */
export interface AnsibleHost {
  readonly name: string
  readonly vars: YamlMapping
  /** The groups that it is in directly. */
  readonly profiles: readonly string[]
}

/** Profile -> the profiles that it inherits from. */
export type ProfileParents = ReadonlyMap<string, readonly string[]>

/** A group of an inventory: its own hosts, and the groups in it. */
interface Group {
  readonly hosts: readonly string[]
  readonly children: readonly string[]
}

/**
 * The inventory that a script prints for `--list`, with the variables of all hosts in `_meta`, so that Ansible asks for
 * no single one: "Developing dynamic inventory" of Ansible's documentation, tried with ansible-core 2.14.
 *
 * Each profile is a group, and a profile is a child of those that it inherits from.
 */
export function ansibleList(hosts: readonly AnsibleHost[], parents: ProfileParents): YamlMapping {
  const groups = groupsOf(hosts, parents)
  const inGroups = new Set([...groups.values()].flatMap((group) => group.hosts))
  const ungrouped = hosts.filter(({ name }) => !inGroups.has(name)).map(({ name }) => name)
  return {
    _meta: { hostvars: Object.fromEntries(hosts.map((host) => [host.name, ansibleHost(host)])) },
    all: { children: ['ungrouped', ...groups.keys()] },
    ungrouped: { hosts: ungrouped },
    ...Object.fromEntries(
      [...groups].map(([name, { hosts: own, children }]) => [
        name,
        { hosts: [...own], children: [...children] },
      ]),
    ),
  }
}

/** What a script prints for `--host NAME`. */
export function ansibleHost({ vars }: AnsibleHost): YamlMapping {
  return unsafe(vars) as YamlMapping
}

/** The same inventory as a file of the YAML plugin. */
export function ansibleYaml(hosts: readonly AnsibleHost[], parents: ProfileParents): string {
  const groups = groupsOf(hosts, parents)
  const byName = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, null]))
  const inventory = {
    all: {
      hosts: Object.fromEntries(hosts.map(({ name, vars }) => [name, vars])),
      children: Object.fromEntries(
        [...groups].map(([name, { hosts: own, children }]) => [
          name,
          { hosts: byName(own), children: byName(children) },
        ]),
      ),
    },
  }
  // PyYAML, by which Ansible reads, is of YAML 1.1: `on` and `yes` are booleans there unless they have quotes.
  const document = new Document(inventory, { compat: 'yaml-1.1' })
  visit(document, {
    Scalar(_, scalar) {
      if (isScalar(scalar) && typeof scalar.value === 'string' && isTemplate(scalar.value))
        scalar.tag = '!unsafe'
    },
  })
  return document.toString({ lineWidth: 0, nullStr: '' })
}

function groupsOf(hosts: readonly AnsibleHost[], parents: ProfileParents): ReadonlyMap<string, Group> {
  const nameOf = groupNames([...parents.keys()])
  const groups = new Map<string, { hosts: string[]; children: string[] }>()
  const group = (profile: string) => {
    const name = nameOf.get(profile) ?? profile
    const found = groups.get(name) ?? { hosts: [], children: [] }
    groups.set(name, found)
    return found
  }
  for (const profile of parents.keys()) group(profile)
  for (const [profile, above] of parents)
    for (const each of new Set(above)) group(each).children.push(nameOf.get(profile) ?? profile)
  for (const { name, profiles } of hosts) for (const each of new Set(profiles)) group(each).hosts.push(name)
  return groups
}

/** Names of Ansible's own, or that mean something else in an inventory. */
const takenNames: readonly string[] = ['all', 'ungrouped', '_meta']

/** The name of a group is one of Python: letters, digits and underscores. Each profile keeps a group of its own. */
function groupNames(profiles: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set(takenNames)
  const names = new Map<string, string>()
  // Those that need no change come first, so that another profile does not take their names.
  for (const profile of profiles.toSorted((a, b) => Number(isGroupName(b)) - Number(isGroupName(a)))) {
    const plain = profile.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_')
    let name = plain
    for (let i = 2; taken.has(name); i++) name = `${plain}_${i}`
    taken.add(name)
    names.set(profile, name)
  }
  return names
}

function isGroupName(text: string): boolean {
  return /^[A-Za-z_]\w*$/.test(text)
}

/** Ansible runs `{{ ... }}` in the values of an inventory as Jinja, unless they are marked as unsafe. */
function isTemplate(text: string): boolean {
  return /\{[{%#]/.test(text)
}

/** JSON has no tags: ansible-core reads this object as the text in it. */
function unsafe(value: YamlValue): YamlValue {
  if (typeof value === 'string') return isTemplate(value) ? { __ansible_unsafe: value } : value
  if (Array.isArray(value)) return value.map(unsafe)
  if (!isMapping(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, unsafe(each)]))
}
