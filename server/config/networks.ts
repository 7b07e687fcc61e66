import type { Guest } from '../core/guest/guest.ts'
import { networkFaults } from '../core/guest/network-faults.ts'
import { networkOf, varsNetwork } from '../core/guest/resolve-network.ts'
import { type ProblemList, showPath } from './problems.ts'
import { accused, type Origins } from './refused-guests.ts'
import type { YamlPath, YamlText } from './yaml.ts'

interface View {
  readonly text: YamlText
  readonly origins: Origins
  readonly problems: ProblemList
}

/** Finds the mistakes in the networks of guests that show only when values are compared. */
export function checkNetworks(guests: readonly Guest[], view: View): void {
  const owners = addressOwners(guests)
  for (const guest of guests) {
    checkFaults(guest, view)
    checkShared(guest, owners, view)
    hintAtNetwork(guest, view)
  }
}

function checkFaults(guest: Guest, { text, problems }: View): void {
  for (const { path, message, remedy } of networkFaults(guest)) {
    const at: YamlPath = ['guests', guest.name, 'network', ...path]
    // A part that a profile says has no place in the guest: its origin stands in the message.
    const key = path.length === 0 ? undefined : String(path[0])
    const sourced = key === undefined ? undefined : guest.settings.network?.[key as 'address']
    const inherited = sourced?.from.startsWith('profile ') ? ` (${sourced.from})` : ''
    problems.add('error', text.position(at, 'value'), `${showPath(at)}: ${message}${inherited}`, remedy)
  }
}

/** Static address or MAC -> the guests that have it. */
function addressOwners(guests: readonly Guest[]): ReadonlyMap<string, readonly Guest[]> {
  const owners = new Map<string, Guest[]>()
  for (const guest of guests)
    for (const value of new Set([
      ...guest.macs,
      ...(guest.ip === undefined ? [] : [guest.ip]),
      ...claimsOf(guest),
    ])) {
      const known = owners.get(value)
      if (known) known.push(guest)
      else owners.set(value, [guest])
    }
  return owners
}

/** The MACs and static addresses of the network that the configuration gives to a guest. */
function claimsOf(guest: Guest): string[] {
  if (guest.settings.network === undefined) return []
  return (networkOf(guest)?.interfaces ?? []).flatMap(({ mac, ipv4, ipv6 }) => [
    ...(mac === undefined ? [] : [mac]),
    ...[ipv4, ipv6].flatMap((family) => (typeof family === 'object' ? [family.address] : [])),
  ])
}

function checkShared(guest: Guest, owners: ReturnType<typeof addressOwners>, view: View): void {
  const { text, problems, origins } = view
  for (const value of claimsOf(guest)) {
    const other = owners.get(value)?.find((owner) => owner !== guest)
    if (!other) continue
    for (const accusedGuest of accused(other, guest, origins)) {
      const owner = accusedGuest === guest ? other : guest
      const path: YamlPath = ['guests', accusedGuest.name, 'network']
      problems.add(
        'error',
        text.position(path, 'value'),
        `${showPath(path)}: ${value} belongs to guest ${owner.name} (${owner.definedAt}) already`,
        'give each guest its own',
      )
    }
  }
}

/** Shows how `network:` says what the vars of a guest say, which only some installers get. */
function hintAtNetwork(guest: Guest, { text, problems }: View): void {
  const written = guest.settings.network === undefined ? varsNetwork(guest) : undefined
  if (!written) return
  const { address = [], gateway = [], nameservers = [] } = written
  const keys = [
    `address: ${address[0]}`,
    ...gateway.map((via) => `gateway: ${via}`),
    ...(nameservers.length > 0 ? [`nameservers: [${nameservers.join(', ')}]`] : []),
  ]
  const at: YamlPath = ['guests', guest.name]
  problems.add(
    'warning',
    text.position([...at, 'vars', 'gateway'], 'key'),
    `${showPath(at)}: its network is made from ip and from vars (${guest.settings.vars.gateway?.from ?? 'bootproto'})`,
    `write it as network: { ${keys.join(', ')} }`,
  )
}
