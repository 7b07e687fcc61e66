import { defined } from '../defined.ts'
import { canonicalSerial, swapUuid } from '../net/uuid.ts'
import type { Guest } from './guest.ts'

/** What a machine is recognised by, whatever the name of its guest is. All canonical, see `Guest`. */
export interface MachineIdentity {
  readonly macs: readonly string[]
  readonly uuid?: string
  readonly serial?: string
}

export function identityOf({ macs, uuid, serial }: Guest): MachineIdentity {
  return { macs, ...defined({ uuid, serial: serial && canonicalSerial(serial) }) }
}

export function isSameIdentity(a: MachineIdentity, b: MachineIdentity): boolean {
  return keysOf(a).join() === keysOf(b).join()
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
