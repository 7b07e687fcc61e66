import { defined } from '../core/defined.ts'
import { mayBeOurs } from '../core/distro/argument-keys.ts'
import type { Guest, Profile, Sourced, SourcedNetwork, VarValue } from '../core/guest/guest.ts'
import {
  inheritanceCycles,
  inheritanceOrder,
  type OwnSettings,
  type Parents,
  resolveSettings,
} from '../core/guest/inherit.ts'
import { canonicalSerial, isPlaceholderSerial, isPlaceholderUuid, swapUuid } from '../core/net/uuid.ts'
import { nearestName } from '../core/select/nearest.ts'
import type { ConfigFile, GuestInFile, ProfileInFile } from './file-schema.ts'
import { checkNetworks } from './networks.ts'
import { type ProblemList, showPath } from './problems.ts'
import { accused, type Origins, whyRefused, withoutTaken } from './refused-guests.ts'
import { checkInstalling, selectorOf } from './selectors.ts'
import { entryKey } from './with-definitions.ts'
import type { YamlPath, YamlText } from './yaml.ts'

/**
 * What `resolveGuests` needs besides the settings: positions in the file, for the origin of each setting and
 * for problems; the names of all profiles; and the list that problems are added to.
 */
export interface FileView {
  readonly fileName: string
  readonly text: YamlText
  /** All profiles of the file, also those with mistakes. */
  readonly profileNames: ReadonlySet<string>
  readonly problems: ProblemList
  readonly origins: Origins
}

/**
 * Resolves inheritance for each profile and guest, and finds the mistakes that show only when guests are
 * compared, such as a MAC that two guests have.
 */
export function resolveGuests(
  file: ConfigFile,
  view: FileView,
): { guests: Guest[]; profiles: Map<string, Profile> } {
  const inFile = new Map(Object.entries(file.profiles ?? {}))
  const parents: Parents = new Map([...inFile].map(([name, profile]) => [name, profile.inherits ?? []]))
  checkParents(parents, view)

  const layers = new Map<string, OwnSettings>()
  for (const [name, profile] of inFile) layers.set(name, ownSettings(profile, ['profiles', name], view))
  const inherited = (names: readonly string[]) => {
    const order = inheritanceOrder(names, parents)
    return { order, layers: order.flatMap((name) => layers.get(name) ?? []) }
  }

  const profiles = new Map<string, Profile>()
  for (const [name, inherits] of parents) {
    const path = ['profiles', name]
    const resolution = resolveSettings(inherited([name]).layers)
    warnIdleRemovals(resolution.idleRemovals, path, inFile.get(name)?.args, view)
    const own = inFile.get(name)
    const selector = own && selectorOf(own, name, view)
    const { settings } = resolution
    const profile = { name, inherits, settings, definedAt: place(view, path), ...defined({ selector }) }
    checkInstalling(profile, view)
    profiles.set(name, profile)
  }

  const guests: Guest[] = []
  for (const [name, guest] of Object.entries(file.guests ?? {})) {
    const path = ['guests', name]
    const names = guest.profile ?? []
    checkProfileNames(names, [...path, 'profile'], view)
    const { order, layers: above } = inherited(names)
    const resolution = resolveSettings([...above, ownSettings(guest, path, view)])
    warnIdleRemovals(resolution.idleRemovals, path, guest.args, view)
    checkVirt(resolution.settings.virt, path, view)
    const { uuid, serial, ip, shown } = guest
    const refused = whyRefused(name, names, { parents, refused: view.origins.refused })
    guests.push({
      name,
      macs: [...new Set(guest.mac)],
      ...defined({ uuid, serial, ip, refused, shown: shown && defined(shown) }),
      // The order begins at the root, and a guest names the nearest first.
      profiles: order.reverse(),
      settings: resolution.settings,
      definedAt: place(view, path),
    })
  }
  // Of a guest whose own file is refused only the identities were read, as far as no other guest has them.
  const isWhole = ({ name }: Guest) => !view.origins.refused.guest.has(name)
  const whole = guests.filter(isWhole)
  const isTaken = checkIdentities(whole, view)
  checkNetworks(whole, view)
  return { guests: guests.map((guest) => (isWhole(guest) ? guest : withoutTaken(guest, isTaken))), profiles }
}

/** The line of the key at a path: `config.yaml:21`, or `last good guests.d/web02.yaml:3`, which is not on the disk. */
function place(view: FileView, path: YamlPath): string {
  const { file = view.fileName, line } = view.text.position(path, 'key')
  const layer = view.origins.layers.get(entryKey(String(path[0]), String(path[1])))
  return `${layer?.use === 'kept' ? 'last good ' : ''}${file}:${line}`
}

function ownSettings(written: ProfileInFile | GuestInFile, path: YamlPath, view: FileView): OwnSettings {
  const owner = `${path[0] === 'guests' ? 'guest' : 'profile'} ${path[1]}`
  const sourced = <T>(value: T, ...below: (string | number)[]): Sourced<T> => ({
    value,
    from: `${owner} (${place(view, [...path, ...below])})`,
  })
  const optional = <T>(value: T | undefined, key: string) =>
    value === undefined ? undefined : sourced(value, key)
  const sourcedKeys = <T extends object>(values: T, below: string) =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, sourced(value, below, key)])) as {
      [K in keyof T]: Sourced<T[K] & {}>
    }
  const { tree, template, args = [], vars = {}, virt = {}, network, source, retry, loader } = written
  const { 'loader-from': loaderFrom } = written
  for (const key of Object.keys(vars)) warnVarName(key, path, view)
  return {
    ...defined({
      // The schema accepts an id or traits, never both, which its type does not say.
      tree: optional(tree as { id: string } | undefined, 'tree'),
      template: optional(template, 'template'),
      source: optional(source, 'source'),
      retry: optional(retry, 'retry'),
      loader: optional(loader, 'loader'),
      loaderFrom: optional(loaderFrom, 'loader-from'),
      // zod's type of an optional key has undefined, which no value of it is.
      network: network && (sourcedKeys(network, 'network') as SourcedNetwork),
    }),
    args: args.map((arg, i) => sourced(arg, 'args', i)),
    vars: Object.fromEntries(
      Object.entries(vars).map(([key, value]) => [key, sourced(value as VarValue, 'vars', key)]),
    ),
    virt: sourcedKeys(virt, 'virt'),
  }
}

function checkParents(parents: Parents, view: FileView): void {
  for (const [name, inherits] of parents) checkProfileNames(inherits, ['profiles', name, 'inherits'], view)
  for (const cycle of inheritanceCycles(parents)) {
    // `[a, b, a]`: b inherits a and closes the circle.
    const path = ['profiles', cycle.at(-2) ?? '', 'inherits']
    view.problems.add(
      'error',
      view.text.position(path, 'value'),
      `${showPath(path)}: profiles inherit in a circle: ${cycle.join(' -> ')}`,
      'remove one of these names',
    )
  }
}

/** How many profiles a message lists. */
const mostListed = 20

function checkProfileNames(names: readonly string[], path: YamlPath, view: FileView): void {
  for (const [i, name] of names.entries()) {
    if (view.profileNames.has(name)) continue
    const item = view.text.position([...path, i], 'value')
    const nearest = nearestName(name, view.profileNames)
    const all = [...view.profileNames].sort().slice(0, mostListed).join(', ')
    view.problems.add(
      'error',
      item,
      // The name of a profile has at most 100 characters (file-schema.ts): of a longer one the beginning tells enough.
      `${showPath(path)}: profile '${name.slice(0, 100)}' does not exist`,
      nearest === undefined ? `known profiles: ${all || 'none'}` : `did you mean '${nearest}'?`,
    )
  }
}

/** Reports `type: pv` with another hypervisor than Xen: only Xen has this type. */
function checkVirt(virt: Guest['settings']['virt'], path: YamlPath, view: FileView): void {
  if (virt.type.value !== 'pv' || virt.hypervisor.value === 'xen') return
  view.problems.add(
    'error',
    view.text.position([...path, 'virt'], 'key'),
    `${showPath([...path, 'virt'])}: type pv of ${virt.type.from} needs hypervisor xen, found ${virt.hypervisor.value} of ${virt.hypervisor.from}`,
  )
}

type IdentityKey = 'mac' | 'uuid' | 'serial' | 'ip'

/** The spellings in which a machine may send an identity, our own first. */
function formsOf(key: string, value: string): readonly string[] {
  // A machine may send its UUID in the other byte order, and must still match only its own guest.
  if (key === 'uuid') return [value, swapUuid(value)]
  return [key === 'serial' ? (canonicalSerial(value) ?? value) : value]
}

/** Returns whether a guest has an identity. */
function checkIdentities(guests: readonly Guest[], view: FileView): (key: string, value: string) => boolean {
  const owners = new Map<string, Guest>()
  const ownerOf = (key: string, value: string): { owner: Guest; form: string } | undefined => {
    for (const form of formsOf(key, value)) {
      const owner = owners.get(`${key} ${form}`)
      if (owner) return { owner, form }
    }
    return undefined
  }
  const claim = (guest: Guest, key: IdentityKey, value: string): void => {
    warnOfPlaceholder(guest, key, value, view)
    const [own] = formsOf(key, value)
    const taken = ownerOf(key, value)
    if (!taken || taken.owner === guest) {
      owners.set(`${key} ${own}`, guest)
      return
    }
    const other = taken.form === own ? '' : ' (in its other byte order)'
    for (const at of accused(taken.owner, guest, view.origins)) {
      const { name } = at === guest ? taken.owner : guest
      const path = ['guests', at.name, key]
      view.problems.add(
        'error',
        view.text.position(path, 'value'),
        `${showPath(path)}: ${key} ${value}${other} belongs to guest ${name} (${place(view, ['guests', name, key])}) already`,
      )
    }
  }
  for (const guest of guests) {
    for (const mac of guest.macs) claim(guest, 'mac', mac)
    for (const key of ['uuid', 'serial', 'ip'] as const) {
      const value = guest[key]
      if (value !== undefined) claim(guest, key, value)
    }
  }
  return (key, value) => ownerOf(key, value) !== undefined
}

function warnOfPlaceholder({ name }: Guest, key: IdentityKey, value: string, view: FileView): void {
  const isPlaceholder =
    (key === 'uuid' && isPlaceholderUuid(value)) || (key === 'serial' && isPlaceholderSerial(value))
  if (!isPlaceholder) return
  const path = ['guests', name, key]
  view.problems.add(
    'warning',
    view.text.position(path, 'value'),
    `${showPath(path)}: '${value}' is a placeholder that many machines share, and identifies none`,
    'name the machine by its mac',
  )
}

function warnIdleRemovals(
  idle: readonly Sourced<string>[],
  path: YamlPath,
  own: readonly string[] | undefined,
  view: FileView,
): void {
  for (const { value } of idle) {
    const index = own?.indexOf(value) ?? -1
    if (index < 0) continue // The removal is written in another profile, and is reported there.
    // Which arguments treeboot has for the guest shows when its boot is planned.
    if (mayBeOurs(value)) continue
    view.problems.add(
      'warning',
      view.text.position([...path, 'args', index], 'value'),
      `${showPath([...path, 'args', index])}: '${value}' removes nothing`,
      `no inherited profile has '${value.slice(1)}', and treeboot itself adds no such argument`,
    )
  }
}

function warnVarName(key: string, path: YamlPath, view: FileView): void {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return
  const at = [...path, 'vars', key]
  view.problems.add(
    'warning',
    view.text.position(at, 'key'),
    `${showPath(at)}: a template cannot use this variable by its name`,
    'use letters, digits and underscores; in a template a dash means minus',
  )
}
