import type { Snapshot } from '../catalog/snapshot.ts'
import type { LoaderExplanation } from '../core/boot/explain.ts'
import {
  type ClientFacts,
  classifyFirmware,
  type Firmware,
  runsIpxe,
  unservedClient,
} from '../core/boot/firmware.ts'
import { selectForGuest } from '../core/boot/plan-boot.ts'
import { type OpenServices, serverUrls } from '../core/boot/urls.ts'
import { defined } from '../core/defined.ts'
import type { Guest, Profile } from '../core/guest/guest.ts'
import { archsInDhcp, type MachineFacts, machineFacts } from '../core/guest/machine-facts.ts'
import { selectProfile } from '../core/guest/selectors.ts'
import { type LoaderCandidate, loaderCandidates } from '../core/loader/choice.ts'
import {
  decideOffer,
  type NetworkBootRequest,
  type NetworkReply,
  type OfferInputs,
} from '../core/loader/network-offer.ts'
import type { Requester } from '../core/net/requester.ts'
import type { LoaderMemory } from './loader-memory.ts'
import type { Machines } from './machines.ts'

export interface NetworkBootParts {
  readonly snapshot: () => Snapshot
  readonly services: () => OpenServices
  readonly machines: Pick<Machines, 'learnNames' | 'askedByDhcp' | 'stateOf'> & {
    readonly loaders: Pick<LoaderMemory, 'history' | 'lastBasis' | 'sent' | 'ran'>
  }
  /** Whether a loader can be fetched: only then it is offered. */
  readonly loaderExists: (loader: LoaderCandidate, who: Requester) => Promise<boolean>
}

/** What the choice of a loader needs of them. */
export interface LoaderParts extends Pick<NetworkBootParts, 'services' | 'loaderExists'> {
  readonly machines: {
    readonly loaders: Pick<LoaderMemory, 'history' | 'lastBasis'>
    readonly stateOf: Machines['stateOf']
  }
}

/** What the choice of a loader needs of a request. */
interface LoaderRequest
  extends Pick<NetworkBootRequest, 'xid' | 'isFollowUp' | 'clientAddress' | 'serverAddress'> {
  readonly client: Pick<ClientFacts, 'mac'>
}

/** Decides the reply to a DHCP packet; undefined for a packet that does not ask for network boot. */
export type DecideNetworkBoot = (request: NetworkBootRequest) => Promise<NetworkReply | undefined>

/** Makes the function that decides what a machine is offered by DHCP. */
export function networkBoot(parts: NetworkBootParts): DecideNetworkBoot {
  return async (request) => {
    const firmware = classifyFirmware(request.client)?.firmware
    if (firmware === undefined) {
      const unserved = unservedClient(request.client)
      if (unserved?.shown !== undefined) learn(parts.machines, request, unserved.shown)
      return unserved && { kind: 'silence', why: unserved.why }
    }
    const snapshot = parts.snapshot()
    const guest = snapshot.guests.match(identityOf(request.client))?.guest
    learn(parts.machines, request, firmware)
    const profile = guest ? undefined : profileOf(shownBy(request.client, firmware), snapshot)
    const ignored = guest ? undefined : whyIgnored(snapshot, profile)
    if (ignored !== undefined) return { kind: 'silence', why: ignored }
    return offerLoader(parts, request, { firmware, guest, profile, snapshot })
  }
}

/** Notes what the packet tells about the machine. */
function learn(
  machines: NetworkBootParts['machines'],
  { client, isFollowUp, isRepeat }: NetworkBootRequest,
  firmware: string,
): void {
  const { mac, uuid } = client
  if (mac !== undefined && uuid !== undefined) machines.learnNames(mac, uuid)
  // Once for each attempt: not for the request on port 4011, nor for the same packet on another interface.
  if (!isFollowUp && !isRepeat) machines.askedByDhcp(client, firmware)
  if (runsIpxe(firmware) && mac !== undefined) machines.loaders.ran(mac, 'ipxe')
}

/** The machine that asks, and the snapshot by which it was recognised. */
interface AskingMachine {
  readonly firmware: Firmware
  readonly guest: Guest | undefined
  /** That of an unknown machine, as far as its selector can be told from a DHCP packet. */
  readonly profile: Profile | undefined
  readonly snapshot: Snapshot
}

async function offerLoader(
  parts: NetworkBootParts,
  request: NetworkBootRequest,
  machine: AskingMachine,
): Promise<NetworkReply> {
  const { firmware, guest } = machine
  const decision = await chooseLoader(parts, request, machine)
  const named = defined({ guest: guest?.name })
  if (!('offer' in decision)) return { kind: 'silence', why: `${firmware}: ${decision.why}`, ...named }
  const { mac } = request.client
  if (decision.loader && mac !== undefined && !request.isFollowUp)
    parts.machines.loaders.sent(mac, request.xid, decision.loader)
  return { kind: 'offer', offer: decision.offer, why: decision.why, ...named }
}

async function chooseLoader(
  parts: LoaderParts,
  request: LoaderRequest,
  machine: AskingMachine,
): Promise<ReturnType<typeof decideOffer>> {
  const { firmware, snapshot } = machine
  const who: Requester = {
    protocol: 'dhcp',
    address: request.clientAddress,
    localAddress: request.serverAddress,
  }
  const loader = await firstAvailable(candidatesFor(parts, request, machine), who, parts.loaderExists)
  const reach = reachOf(snapshot, parts.services(), who)
  return decideOffer({ ...reach, firmware, ...defined({ loader }) })
}

/** What a machine with this firmware would be offered if it asked now. It changes nothing. */
export async function explainLoader(
  parts: LoaderParts,
  {
    serverAddress,
    mac,
    shown = machineFacts({}),
    ...asking
  }: Omit<AskingMachine, 'profile'> & {
    readonly serverAddress: string
    readonly mac?: string
    /** What the machine is known to have shown. */
    readonly shown?: MachineFacts
  },
): Promise<LoaderExplanation> {
  const { guest, snapshot, firmware } = asking
  const { macs, uuid, vendorClass } = shown
  const inPacket = { macs, archs: shown.archs ?? archsInDhcp(firmware, []) }
  const facts = machineFacts({ ...inPacket, uuid, vendorClass })
  const machine = { ...asking, profile: guest ? undefined : profileOf(facts, snapshot) }
  const ignored = guest ? undefined : whyIgnored(snapshot, machine.profile)
  if (ignored !== undefined) return { firmware, why: ignored }
  // No packet has this number, so this is another attempt than the last one.
  const request = { client: defined({ mac }), xid: -1, isFollowUp: false, clientAddress: '', serverAddress }
  const decision = await chooseLoader(parts, request, machine)
  if (!('offer' in decision)) return { firmware, why: decision.why }
  return { firmware, file: decision.offer.bootFile, why: decision.why }
}

/**
 * The loaders that suit the machine, best first. After the offer a machine asks once more on port 4011, with
 * another transaction number; it must then get the loader of the offer.
 */
function candidatesFor(
  { machines }: LoaderParts,
  { client: { mac }, xid, isFollowUp }: LoaderRequest,
  { firmware, guest, profile, snapshot }: AskingMachine,
): readonly LoaderCandidate[] {
  const { loader, loaderFrom } = (guest ?? profile)?.settings ?? {}
  const preference = loader?.value ?? snapshot.config.dhcp.loader
  const origin = loaderFrom?.value
  // Without the client's address: at port 67 a machine has none yet.
  const selection = guest && selectForGuest(guest, snapshot.trees, machines.stateOf(guest.name))
  const treeId = selection?.found ? selection.tree.id : undefined
  const wanted = { firmware, preference, ...defined({ treeId, origin }) }
  if (mac === undefined) return loaderCandidates(wanted)
  // `lastBasis` is what the offer rested on, so the choice is the same again.
  const history = isFollowUp ? machines.loaders.lastBasis(mac) : machines.loaders.history(mac, xid)
  return loaderCandidates({ ...wanted, ...history })
}

async function firstAvailable(
  candidates: readonly LoaderCandidate[],
  who: Requester,
  loaderExists: NetworkBootParts['loaderExists'],
): Promise<LoaderCandidate | undefined> {
  for (const candidate of candidates) if (await loaderExists(candidate, who)) return candidate
  return undefined
}

function identityOf({ mac, uuid }: ClientFacts) {
  return defined({ macs: mac === undefined ? undefined : [mac], uuid })
}

function shownBy({ mac, uuid, archs, vendorClass }: ClientFacts, firmware: string): MachineFacts {
  const macs = mac === undefined ? [] : [mac]
  return machineFacts({ macs, uuid, archs: archsInDhcp(firmware, archs), vendorClass })
}

/** The profile that selects an unknown machine by what a DHCP packet shows: no serial number, maker or address. */
function profileOf(facts: MachineFacts, { selectors, profiles }: Snapshot): Profile | undefined {
  const selected = selectProfile(facts, selectors)
  return selected.kind === 'profile' ? profiles.get(selected.selector.profile) : undefined
}

function whyIgnored({ config }: Snapshot, profile: Profile | undefined): string | undefined {
  if (config.dhcp.knownOnly) return 'it is not a guest, and dhcp.known-only is true'
  return config.unknown === 'ignore' && !profile ? 'it is not a guest, and unknown is ignore' : undefined
}

/** By which services this client can fetch a loader and its script. */
function reachOf(
  { config: { server } }: Snapshot,
  open: OpenServices,
  who: Requester,
): Pick<OfferInputs, 'httpBase' | 'scriptUrl' | 'tftp' | 'http'> {
  const urls = serverUrls({ services: open, who, ...defined({ configuredUrl: server.url }) })
  const http = open.http || server.url !== undefined ? 'open' : 'closed'
  // All machines get the same script, which then asks for the plan with the machine's MAC and UUID. An
  // operator's own boot.ipxe is served instead of ours.
  const base = http === 'open' ? urls.http : urls.tftp
  return {
    httpBase: urls.http,
    http,
    tftp: tftpOf(open),
    ...(base !== undefined && { scriptUrl: `${base}/boot.ipxe` }),
  }
}

/** Firmware asks for its loader at port 69, which no DHCP option can change. */
function tftpOf({ tftp }: OpenServices): OfferInputs['tftp'] {
  if (tftp === undefined) return 'closed'
  return tftp.port === 69 ? 'open' : 'other-port'
}
