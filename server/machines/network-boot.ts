import type { Snapshot } from '../catalog/snapshot.ts'
import {
  type ClientFacts,
  classifyFirmware,
  type Firmware,
  runsIpxe,
  whyNoFirmware,
} from '../core/boot/firmware.ts'
import { type BootInputs, selectForGuest } from '../core/boot/plan-boot.ts'
import type { OpenServices } from '../core/boot/urls.ts'
import type { Guest } from '../core/guest/guest.ts'
import type { GuestState } from '../core/guest/state.ts'
import { type LoaderCandidate, type LoaderKind, loaderCandidates } from '../core/loader/choice.ts'
import {
  decideOffer,
  type NetworkAnswer,
  type NetworkAsk,
  type OfferInputs,
} from '../core/loader/network-offer.ts'
import { canonicalMac } from '../core/net/mac.ts'
import type { Requester } from '../core/net/requester.ts'
import { serviceTable } from '../core/services.ts'
import { cleanPath } from '../files/path.ts'
import type { FileSource } from '../files/source.ts'
import { bootInputs } from './decide.ts'
import { createLoaderMemory } from './loader-memory.ts'
import { createMachineNames } from './machine-names.ts'

export interface NetworkBootParts {
  readonly snapshot: () => Snapshot
  readonly services: () => OpenServices
  /** The namespace: a loader is offered only when it can be fetched. */
  readonly source: FileSource
  /** What is remembered of a guest: a running installation is bound to its tree, and so is the tree's own loader. */
  readonly stateOf?: BootInputs['stateOf']
  /** A machine that asks for network boot, known or not. */
  readonly seen?: (client: ClientFacts, firmware: Firmware, guest: Guest | undefined) => void
}

export interface NetworkBoot {
  /** Undefined for everybody who does not ask for network boot. */
  readonly decide: (ask: NetworkAsk) => Promise<NetworkAnswer | undefined>
  /** A loader asked for this path: it runs. */
  readonly fetched: (path: string) => void
  /** The UUID that a machine has said beside this MAC when it asked by DHCP. */
  readonly uuidOf: (mac: string) => string | undefined
}

/** What a machine is offered by DHCP: from its packet, the snapshot, and the loaders that are there. */
export function networkBoot({ snapshot, services, source, stateOf, seen }: NetworkBootParts): NetworkBoot {
  const memory = createLoaderMemory()
  const names = createMachineNames()

  async function firstThere(
    candidates: readonly LoaderCandidate[],
    who: Requester,
  ): Promise<LoaderCandidate | undefined> {
    for (const candidate of candidates) {
      const entry = await source.stat(cleanPath(candidate.place), who)
      if (entry?.kind === 'file') return candidate
    }
    return undefined
  }

  async function decide(ask: NetworkAsk): Promise<NetworkAnswer | undefined> {
    const { client } = ask
    const firmware = classifyFirmware(client)?.firmware
    if (firmware === undefined) {
      const why = whyNoFirmware(client)
      return why === undefined ? undefined : { kind: 'silence', why }
    }
    if (client.mac !== undefined && client.uuid !== undefined) names.met(client.mac, client.uuid)
    const now = snapshot()
    const guest = now.guests.match(identityOf(client))?.guest
    if (!ask.again && !ask.otherSide) seen?.(client, firmware, guest)
    if (runsIpxe(firmware) && client.mac !== undefined) memory.ran(client.mac, 'ipxe')
    const named = guest && { guest: guest.name }
    const ignored = guest ? undefined : whyIgnored(now)
    if (ignored !== undefined) return { kind: 'silence', why: ignored }
    const who: Requester = { protocol: 'dhcp', address: ask.clientAddress, localAddress: ask.serverAddress }
    const loader = await firstThere(candidatesFor(ask, firmware, guest, now), who)
    const decision = decideOffer({ ...reach(now, services(), who), firmware, ...(loader && { loader }) })
    if (!('offer' in decision)) return { kind: 'silence', why: `${firmware}: ${decision.why}`, ...named }
    if (decision.loader && client.mac !== undefined && !ask.again)
      memory.sent(client.mac, ask.xid, decision.loader)
    return { kind: 'offer', offer: decision.offer, why: decision.why, ...named }
  }

  /** What it was sent is asked for again on port 4011, with another transaction number: never another loader. */
  function candidatesFor(
    { client, xid, again }: NetworkAsk,
    firmware: Firmware,
    guest: Guest | undefined,
    now: Snapshot,
  ): readonly LoaderCandidate[] {
    const preference = guest?.settings.loader?.value ?? now.config.dhcp.loader
    const treeId = guest && treeOf(guest, now, stateOf?.(guest.name))
    const history =
      client.mac === undefined ? {} : again ? memory.again(client.mac) : memory.history(client.mac, xid)
    return loaderCandidates({ firmware, preference, ...(treeId !== undefined && { treeId }), ...history })
  }

  return {
    decide,
    uuidOf: names.uuidOf,
    fetched(path) {
      const kind = loaderAsking(path)
      const mac = kind && macIn(path, names.macOf)
      if (kind && mac !== undefined) memory.ran(mac, kind)
    },
  }
}

/** The MAC in a path that a loader asks for, or the one that belongs to the UUID in it. */
function macIn(path: string, macOf: (uuid: string) => string | undefined): string | undefined {
  const parts = path.split(/[/]|grub\.cfg-/)
  const named = (read: (part: string) => string | undefined) =>
    parts.map(read).find((each) => each !== undefined)
  return named(canonicalMac) ?? named(macOf)
}

/** `/boot/by/<mac>/grub.cfg`, `/grub.cfg-01-<mac>`, `/grub.cfg-<uuid>`, `/pxelinux.cfg/01-<mac>` */
function loaderAsking(path: string): LoaderKind | undefined {
  if (/\/grub\.cfg(-[^/]*)?$/.test(path)) return 'grub'
  if (/\/pxelinux\.cfg(\/[^/]*)?$/.test(path)) return 'pxelinux'
  return /\/ipxe$/.test(path) ? 'ipxe' : undefined
}

function identityOf({ mac, uuid }: ClientFacts) {
  return { ...(mac !== undefined && { macs: [mac] }), ...(uuid !== undefined && { uuid }) }
}

function whyIgnored({ config }: Snapshot): string | undefined {
  if (config.dhcp.knownOnly) return 'it is no guest, and dhcp.known-only is true'
  return config.unknown === 'ignore' ? 'it is no guest, and unknown is ignore' : undefined
}

function treeOf(guest: Guest, { trees }: Snapshot, life: GuestState | undefined): string | undefined {
  const selection = selectForGuest(guest, trees, life)
  return selection.found ? selection.tree.id : undefined
}

function reach(
  now: Snapshot,
  open: OpenServices,
  who: Requester,
): Pick<OfferInputs, 'httpBase' | 'scriptUrl' | 'tftp' | 'http'> {
  const { urls } = bootInputs(now, open, who)
  const http = open.http || now.config.server.url !== undefined ? 'open' : 'closed'
  // One script for all, which asks again with the names of the machine: an operator's own boot.ipxe comes before it.
  const base = http === 'open' ? urls.http : urls.tftp
  return {
    httpBase: urls.http,
    http,
    tftp:
      open.tftp === undefined
        ? 'closed'
        : open.tftp.port === serviceTable.tftp.standardPort
          ? 'open'
          : 'other-port',
    ...(base !== undefined && { scriptUrl: `${base}/boot.ipxe` }),
  }
}
