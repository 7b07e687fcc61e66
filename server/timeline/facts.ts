import { purposeOf } from '../core/boots/advance.ts'
import type { DhcpFact, Fact, FileFact, Told, Who } from '../core/boots/facts.ts'
import { type FileRole, guestOfAnswer, roleOf } from '../core/boots/roles.ts'
import { defined } from '../core/defined.ts'
import { parseBootPath } from '../core/loader/boot-path.ts'
import { isLoopback } from '../core/net/address.ts'
import { canonicalMac } from '../core/net/mac.ts'
import type { Requester } from '../core/net/requester.ts'
import { canonicalUuid, isPlaceholderUuid } from '../core/net/uuid.ts'
import type { Event } from '../events/bus.ts'

type Served = Extract<Event, { type: 'served' }>
type DhcpEvent = Extract<Event, { type: 'dhcp' }>

/** How many MACs of one request are looked at: a machine may have many cards, a stranger's request many headers. */
const mostMacs = 4

/** Whether an event may say something of a boot. Called for each event, before anything else. */
export function concernsBoots({ type }: Event): boolean {
  return type === 'served' || type === 'dhcp' || type === 'sending' || type === 'report' || type === 'syslog'
}

/**
 * Whether an event of a client that no boot knows may say something of a boot, too. A mirror sends thousands of files in a
 * second to clients that boot nothing.
 */
export function mayBegin(event: Event): boolean {
  if (event.type === 'sending' || event.type === 'syslog') return false
  if (event.type !== 'served' || event.protocol === 'tftp' || event.decision?.kind === 'boot') return true
  return !event.path.startsWith('/trees/') || event.who?.macs !== undefined
}

/** What an event says of a boot; undefined when it says nothing. */
export function factOf(event: Event): Fact | undefined {
  switch (event.type) {
    case 'served':
      return event.protocol === 'internal' ? undefined : fileFact(event)
    case 'sending': {
      const { path, client } = event
      return { kind: 'sending', who: { macs: [], address: client }, role: roleOf(path), path }
    }
    case 'dhcp':
      return dhcpFact(event)
    case 'report': {
      const who = { guest: event.guest, macs: [], address: event.client }
      return { kind: 'report', who, report: event.state, ...defined({ detail: event.detail }) }
    }
    default:
      return undefined
  }
}

function dhcpFact(event: DhcpEvent): DhcpFact {
  const { step, xid, ms, firmware, file, detail, server, guest, mac, uuid, address } = event
  const who: Who = {
    macs: mac === undefined ? [] : [mac],
    ...defined({ guest, uuid: tellingUuid(uuid), address }),
  }
  return { kind: 'dhcp', who, step, xid, ms, ...defined({ firmware, file, detail, server }) }
}

function fileFact(event: Served): FileFact {
  const {
    path,
    outcome,
    kind,
    detail,
    bytes,
    ms,
    question,
    retries = 0,
    blksize,
    silent,
    who,
    protocol,
  } = event
  const role = roleOf(path)
  const told = event.decision?.kind === 'boot' ? toldOf(event.decision) : undefined
  return {
    kind: 'file',
    who: whoOf(event, role),
    role: told ? 'configuration' : role,
    path,
    outcome,
    bytes,
    ms,
    isQuestion: question === true,
    isTftp: protocol === 'tftp',
    retries,
    isSilent: silent === true,
    isOwnHost: who !== undefined && isOwnHost(who),
    ...defined({ failure: kind, detail, blksize, agent: who?.agent, told }),
  }
}

type BootDecision = Extract<NonNullable<Served['decision']>, { kind: 'boot' }>

function toldOf({ summary, localDisk, loader, offer }: BootDecision): Told {
  const purpose = purposeOf(summary, { localDisk, isInstall: offer !== undefined })
  return { purpose, summary, loader, ...defined({ tree: offer?.tree, kernel: offer?.kernel }) }
}

function whoOf({ client, who, decision, path, outcome }: Served, role: FileRole): Who {
  const boot = decision?.kind === 'boot' ? decision : undefined
  // A name that was not found is what somebody typed or guessed.
  const named = role === 'answer-file' && outcome !== 'failed' ? guestOfAnswer(path) : undefined
  const asked = role === 'configuration' ? machineIn(path) : undefined
  const macs = [...(boot?.facts.macs ?? []), ...(who?.macs ?? []), ...(asked?.macs ?? [])]
  return {
    macs: canonicalMacs(macs),
    address: client,
    ...defined({
      guest: boot?.guest ?? named,
      uuid: tellingUuid(boot?.facts.uuid ?? who?.uuid ?? asked?.uuid),
    }),
  }
}

/** The machine in the name of a configuration: `pxelinux.cfg/01-52-54-00-aa-bb-01`. */
function machineIn(path: string): { macs: readonly string[]; uuid?: string } | undefined {
  const owner = parseBootPath(path)?.owner
  // PXELINUX sends the UUID in its raw order, and asks by MAC next.
  return owner?.kind === 'machine' ? { macs: owner.macs } : undefined
}

function canonicalMacs(macs: readonly string[]): readonly string[] {
  if (macs.length === 0) return macs
  const found = macs.slice(0, 2 * mostMacs).flatMap((mac) => canonicalMac(mac) ?? [])
  return [...new Set(found)].slice(0, mostMacs)
}

function tellingUuid(text: string | undefined): string | undefined {
  const uuid = text === undefined ? undefined : canonicalUuid(text)
  return uuid === undefined || isPlaceholderUuid(uuid) ? undefined : uuid
}

function isOwnHost({ address, localAddress }: Requester): boolean {
  return address === localAddress || isLoopback(address)
}
