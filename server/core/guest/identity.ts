import { defined } from '../defined.ts'
import { canonicalSerial, swapUuid } from '../net/uuid.ts'
import type { Guest } from './guest.ts'

/** What a machine is recognised by, whatever the name of its guest is. All canonical, see `Guest`. */
export interface MachineIdentity {
  readonly macs: readonly string[]
  readonly uuid?: string
  readonly serial?: string
  /** The keys (see `keysOf`) that it was recognised by before, the newest last. */
  readonly former?: readonly string[]
}

export function identityOf({ macs, uuid, serial }: Guest): MachineIdentity {
  return { macs, ...defined({ uuid, serial: serial && canonicalSerial(serial) }) }
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
  return former.length === 0 ? identity : { ...identity, former }
}

/**
 * The MACs, the UUID and the serial number as keys of a map, in a fixed order. Firmware sends UUIDs in either byte
 * order, so both orders give the same key. Placeholders that many machines share are keys, too: a definition that shares
 * one with an installed guest is rather that guest under a new name than a new one that is installed.
 */
export function keysOf({ macs, uuid, serial }: MachineIdentity): readonly string[] {
  const keys = macs.map((mac) => `mac ${mac}`).sort()
  if (uuid !== undefined) keys.push(`uuid ${[uuid, swapUuid(uuid)].sort()[0]}`)
  if (serial !== undefined) keys.push(`serial ${serial}`)
  return keys
}
