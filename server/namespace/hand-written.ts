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

/**
 * How many entries (files and folders) and folder levels of the operator's boot folder `explain` reads: more
 * than anybody writes by hand.
 */
const mostEntries = 5000
const mostLevels = 6

/**
 * The operator's own boot folder. Each boot configuration in it carries a decision, so that its fetch counts
 * as a boot.
 */
export function handWrittenSource(source: FileSource, guests: () => GuestIndex): FileSource {
  return {
    list: (path, who) => source.list(path, who),
    async stat(path, who) {
      const entry = await source.stat(path, who)
      const asked = entry?.kind === 'file' ? parseBootPath(path) : undefined
      if (!entry || !asked) return entry
      // A path for many machines names none of them: the one that asks is known by its address.
      const facts = isForMany(asked.owner) ? { ip: who.address } : factsOf(asked.owner)
      const decision: BootDecision = {
        kind: 'boot',
        summary: `tftpboot${path}, written by hand`,
        facts,
        loader: asked.loader,
        // What the text boots is not known: it counts neither as an offer nor as the local disk.
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

/** The guest or machine that a path names; nothing for a path that several machines ask for. */
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
 * The boot configurations in the operator's folder that this machine may read, as `tftpboot/...`, in any
 * order.
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
  for await (const path of filesOf(source, rootPath, mostLevels, { entriesLeft: mostEntries })) {
    const owner = parseBootPath(path)?.owner
    if (owner && concerns(owner)) found.push(`tftpboot${path}`)
  }
  return found
}

/** Paths of the files below a folder. `limit` is one object for all its levels, which count it down together. */
async function* filesOf(
  source: FileSource,
  folder: CleanPath,
  levels: number,
  limit: { entriesLeft: number },
): AsyncGenerator<CleanPath> {
  for (const entry of (await source.list(folder, internalRequester)) ?? []) {
    if (limit.entriesLeft-- <= 0) return
    const path = cleanPath(`${folder}/${entry.name}`)
    if (entry.kind !== 'folder') yield path
    else if (levels > 1) yield* filesOf(source, path, levels - 1, limit)
  }
}

function isSameMachine(a: GuestFacts, b: GuestFacts): boolean {
  const macs = new Set(a.macs?.map(canonicalMac))
  if (b.macs?.some((mac) => macs.has(canonicalMac(mac)))) return true
  // PXELINUX names a UUID in raw byte order, so one machine may have it in both.
  const [uuidA, uuidB] = [a.uuid, b.uuid].map((uuid) => uuid && canonicalUuid(uuid))
  if (uuidA && uuidB && (uuidA === uuidB || uuidA === swapUuid(uuidB))) return true
  return a.ip !== undefined && a.ip === b.ip
}
