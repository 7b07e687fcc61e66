import { type ReasonId, reasonIds } from './reason-ids.ts'
import type { Reason } from './reason-parts.ts'
import { reasonsBeforeKernel } from './reasons-before-kernel.ts'
import { reasonsOfInstallers } from './reasons-of-installers.ts'

export { type ReasonId, reasonIds } from './reason-ids.ts'
export type { Reason } from './reason-parts.ts'

/** Every reason: the compiler asks for a rule for each name. */
const table: Readonly<Record<ReasonId, Omit<Reason, 'id'>>> = {
  ...reasonsBeforeKernel,
  ...reasonsOfInstallers,
}

/** In the order in which they are tried. */
export const reasons: readonly Reason[] = reasonIds.map((id) => ({ id, ...table[id] }))

export function reasonNamed(id: ReasonId): Reason {
  return { id, ...table[id] }
}
