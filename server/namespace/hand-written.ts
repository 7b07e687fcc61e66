import type { BootDecision } from '../core/boot/decision.ts'
import { defined } from '../core/defined.ts'
import type { GuestFacts } from '../core/guest/guest.ts'
import type { GuestIndex } from '../core/guest/match.ts'
import { type BootPathOwner, parseBootPath } from '../core/loader/boot-path.ts'
import { canonicalMac } from '../core/net/mac.ts'
import { internalRequester } from '../core/net/requester.ts'
import { canonicalUuid, swapUuid } from '../core/net/uuid.ts'
import { type CleanPath, cleanPath, rootPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'

/** Files of an operator's own boot folder that are looked at for `explain`; nobody writes so many by hand. */
const mostFiles = 5000
const deepest = 6

/** The operator's own boot folder. A boot configuration in it carries the decision that the operator made. */
export function handWrittenSource(source: FileSource, guests: () => GuestIndex): FileSource {
  return {
    list: (path, who) => source.list(path, who),
    async stat(path, who) {
      const entry = await source.stat(path, who)
      const asked = entry?.kind === 'file' ? parseBootPath(path) : undefined
      if (!entry || !asked) return entry
      const facts = isForMany(asked.owner) ? { ip: who.address } : factsOf(asked.owner)
      const decision: BootDecision = {
        kind: 'boot',
        summary: `tftpboot${path}, written by hand`,
        facts,
        loader: asked.loader,
        localDisk: false,
        ...defined({ guest: guests().match(facts)?.guest.name }),
      }
      return { ...entry, open: () => entry.open(), decision }
    },
  }
}

function isForMany({ kind }: BootPathOwner): boolean {
  return kind === 'everybody' || kind === 'network'
}

/** The machine that a path means. */
function factsOf(owner: BootPathOwner): GuestFacts {
  switch (owner.kind) {
    case 'guest':
      return { name: owner.name }
    case 'machine':
      return defined({ macs: owner.macs.length > 0 ? owner.macs : undefined, uuid: owner.uuid })
    case 'address':
      return { ip: owner.ip }
    case 'everybody':
    case 'network':
      return {}
  }
}

/**
 * The boot configurations in the operator's own folder that this machine's loaders may meet, as
 * `tftpboot/...`, in no particular order.
 */
export async function handWrittenFor(
  source: FileSource,
  asked: GuestFacts,
  guests: GuestIndex,
): Promise<string[]> {
  const guest = guests.match(asked)?.guest
  const concerns = (owner: BootPathOwner): boolean => {
    if (isForMany(owner)) return true
    const facts = factsOf(owner)
    return guest ? guests.match(facts)?.guest === guest : isSameMachine(facts, asked)
  }
  const found: string[] = []
  for await (const path of filesOf(source, rootPath, deepest, { left: mostFiles })) {
    const owner = parseBootPath(path)?.owner
    if (owner && concerns(owner)) found.push(`tftpboot${path}`)
  }
  return found
}

async function* filesOf(
  source: FileSource,
  folder: CleanPath,
  depth: number,
  budget: { left: number },
): AsyncGenerator<CleanPath> {
  for (const entry of (await source.list(folder, internalRequester)) ?? []) {
    if (budget.left-- <= 0) return
    const path = cleanPath(`${folder}/${entry.name}`)
    if (entry.kind !== 'folder') yield path
    else if (depth > 1) yield* filesOf(source, path, depth - 1, budget)
  }
}

function isSameMachine(one: GuestFacts, other: GuestFacts): boolean {
  const macs = new Set(one.macs?.map(canonicalMac))
  if (other.macs?.some((mac) => macs.has(canonicalMac(mac)))) return true
  const [mine, theirs] = [one.uuid, other.uuid].map((uuid) => uuid && canonicalUuid(uuid))
  if (mine && theirs && (mine === theirs || mine === swapUuid(theirs))) return true
  return one.ip !== undefined && one.ip === other.ip
}
