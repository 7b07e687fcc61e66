import { defined } from '../defined.ts'
import { canonicalSerial, swapUuid } from '../net/uuid.ts'
import type { Guest } from './guest.ts'

/** What a machine is recognised by, whatever the name of its guest is. All canonical, see `Guest`. */
export interface MachineIdentity {
  readonly macs: readonly string[]
  readonly uuid?: string
  readonly serial?: string
  readonly ip?: string
  /** The keys (see `keysOf`) that it was recognised by before, the newest last. */
  readonly former?: readonly string[]
  /**
   * The keys that an operator had it forget. Other guests may have them; but no profile takes a machine that has one of them
   * for a stranger whose disk it may erase.
   */
  readonly forgotten?: readonly string[]
}

/** What a machine only showed counts, too: by it another card of the machine is no new guest. */
export function identityOf(guest: Guest): MachineIdentity {
  const { macs, ip, shown } = guest
  const uuid = guest.uuid ?? shown?.uuid
  const serial = guest.serial ?? shown?.serial
  return { macs, ...defined({ uuid, serial: serial && canonicalSerial(serial), ip }) }
}

export function isSameIdentity(a: MachineIdentity, b: MachineIdentity): boolean {
  return keysOf(a).join() === keysOf(b).join()
}

/** How many earlier keys of a guest are remembered: those of twenty machines or more. */
const mostFormer = 64

/** The identity that a record gets, with what it was recognised by until now. */
export function withFormer(identity: MachineIdentity, before: MachineIdentity): MachineIdentity {
  const own = new Set(keysOf(identity))
  const earlier = new Set([...(before.former ?? []), ...keysOf(before)])
  const former = [...earlier].filter((key) => !own.has(key)).slice(-mostFormer)
  return { ...identity, ...(former.length > 0 && { former }), ...defined({ forgotten: before.forgotten }) }
}

/** An identity that was forgotten: what another guest has from now on is no reason to hold it. */
export function withoutPast(identity: MachineIdentity, before: MachineIdentity): MachineIdentity {
  const own = new Set(keysOf(identity))
  const all = new Set([...(before.forgotten ?? []), ...(before.former ?? []), ...keysOf(before)])
  const forgotten = [...all].filter((key) => !own.has(key)).slice(-mostFormer)
  return { ...identity, ...(forgotten.length > 0 && { forgotten }) }
}

/**
 * The MACs, the UUID, the serial number and the address as keys of a map, in a fixed order. Firmware sends UUIDs in either
 * byte order, so both orders give the same key. Placeholders that many machines share are keys, too: a definition that
 * shares one with an installed guest is rather that guest under a new name than a new one that is installed.
 *
 * `ip` is the address of a guest that is known by nothing else, and `address` that of any other: see `searchedKeysOf`.
 */
export function keysOf(identity: MachineIdentity): readonly string[] {
  const keys = machineKeysOf(identity)
  const { ip } = identity
  if (ip === undefined) return keys
  return [...keys, isByAddressAlone(identity) ? `ip ${ip}` : addressKey(ip)]
}

/**
 * The keys of other guests that may be the same machine. Two guests that have MACs are not one because of an address,
 * which goes from machine to machine. A guest that has nothing else is whatever machine is there.
 */
export function searchedKeysOf(identity: MachineIdentity): readonly string[] {
  const keys = machineKeysOf(identity)
  const { ip } = identity
  if (ip === undefined) return keys
  return [...keys, `ip ${ip}`, ...(isByAddressAlone(identity) ? [addressKey(ip)] : [])]
}

/** Whether nothing else tells the machine from others. */
export function isByAddressAlone(identity: MachineIdentity): boolean {
  return identity.ip !== undefined && machineKeysOf(identity).length === 0
}

export function addressKey(ip: string): string {
  return `address ${ip}`
}

function machineKeysOf({ macs, uuid, serial }: MachineIdentity): readonly string[] {
  const keys = macs.map((mac) => `mac ${mac}`).sort()
  if (uuid !== undefined) keys.push(`uuid ${[uuid, swapUuid(uuid)].sort()[0]}`)
  if (serial !== undefined) keys.push(`serial ${serial}`)
  return keys
}
