import type { GuestFacts } from '../core/guest/guest.ts'
import type { GuestIndex } from '../core/guest/match.ts'
import { parseLoaderName } from '../core/loader/boot-path.ts'
import { ipv4FromHex } from '../core/net/address.ts'
import { canonicalMac } from '../core/net/mac.ts'
import type { Requester } from '../core/net/requester.ts'
import { canonicalUuid, swapUuid } from '../core/net/uuid.ts'
import { type CleanPath, cleanPath, rootPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'

/** Files of an operator's own boot folder that are looked at for `explain`; nobody writes so many by hand. */
const mostFiles = 5000
const deepest = 6

/**
 * For whom a path is a boot configuration, by the names that loaders ask for: facts of one machine, `everybody`, or
 * undefined for a path that is none.
 */
export function bootConfigurationFor(path: CleanPath): GuestFacts | 'everybody' | undefined {
  const parts = path.split('/').slice(1)
  const file = parts.at(-1) ?? ''
  if (file === 'boot.ipxe' || file === 'autoexec.ipxe') return 'everybody'
  if (parts[0] === 'boot' && parts.length >= 3 && ['ipxe', 'grub.cfg', 'pxelinux.cfg'].includes(file))
    return parts[1] === 'by' ? identitiesOf(parts.slice(2, -1)) : { name: parts[1] ?? '' }
  const lookup = parseLoaderName(path)?.lookup
  switch (lookup?.kind) {
    case undefined:
      return undefined
    case 'mac':
      return { macs: [lookup.mac] }
    case 'uuid':
      return { uuid: lookup.uuid }
    case 'ip-prefix': {
      const ip = ipv4FromHex(lookup.hex)
      return ip === undefined ? 'everybody' : { ip }
    }
    case 'default':
      return 'everybody'
  }
}

function identitiesOf(parts: readonly string[]): GuestFacts {
  const macs = parts.filter((part) => canonicalMac(part) !== undefined)
  const uuid = parts.find((part) => canonicalUuid(part) !== undefined)
  return { ...(macs.length > 0 && { macs }), ...(uuid !== undefined && { uuid }) }
}

/** The operator's own boot folder; `found` hears of each boot configuration that a client is given from it. */
export function handWrittenSource(
  source: FileSource,
  found: (path: CleanPath, who: Requester, facts: GuestFacts) => void,
): FileSource {
  return {
    list: (path, who) => source.list(path, who),
    stat: async (path, who) => {
      const entry = await source.stat(path, who)
      if (entry?.kind === 'file' && asksToBoot(who)) {
        const whose = bootConfigurationFor(path)
        if (whose !== undefined) found(path, who, whose === 'everybody' ? { ip: who.address } : whose)
      }
      return entry
    },
  }
}

/** Loaders come by these; who looks through the folder by FTP or NFS boots nothing. */
function asksToBoot({ protocol }: Requester): boolean {
  return protocol === 'tftp' || protocol === 'http'
}

/**
 * The boot configurations in the operator's own folder that this machine's loaders may meet, as `tftpboot/...`, in no order
 * that matters.
 */
export async function handWrittenFor(
  source: FileSource,
  asked: GuestFacts,
  guests: GuestIndex,
): Promise<string[]> {
  const guest = guests.match(asked)?.guest
  const concerns = (facts: GuestFacts): boolean =>
    guest ? guests.match(facts)?.guest === guest : sameMachine(facts, asked)
  const found: string[] = []
  for await (const path of filesOf(source, rootPath, deepest, { left: mostFiles })) {
    const whose = bootConfigurationFor(path)
    if (whose === 'everybody' || (whose !== undefined && concerns(whose))) found.push(`tftpboot${path}`)
  }
  return found
}

async function* filesOf(
  source: FileSource,
  folder: CleanPath,
  depth: number,
  budget: { left: number },
): AsyncGenerator<CleanPath> {
  for (const entry of (await source.list(folder, { protocol: 'internal', address: '' })) ?? []) {
    if (budget.left-- <= 0) return
    const path = cleanPath(`${folder}/${entry.name}`)
    if (entry.kind !== 'folder') yield path
    else if (depth > 1) yield* filesOf(source, path, depth - 1, budget)
  }
}

function sameMachine(one: GuestFacts, other: GuestFacts): boolean {
  const macs = new Set(one.macs?.map(canonicalMac))
  if (other.macs?.some((mac) => macs.has(canonicalMac(mac)))) return true
  const [mine, theirs] = [one.uuid, other.uuid].map((uuid) => uuid && canonicalUuid(uuid))
  if (mine && theirs && (mine === theirs || mine === swapUuid(theirs))) return true
  return one.ip !== undefined && one.ip === other.ip
}
