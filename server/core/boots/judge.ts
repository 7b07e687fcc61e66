import { type Boot, type BootState, stepOf } from './boot.ts'
import { type ReasonId, reasons } from './reasons.ts'

/** A boot in which nothing happens for so long is closed, in milliseconds. */
export const closeAfterMs = 2 * 3_600_000
/** In milliseconds: a transfer whose end was never told, because the server was stopped. */
const longestTransferMs = 3_600_000

/** Where a boot is now. `nowMs`: milliseconds since 1970. */
export function judge(boot: Boot, nowMs: number): { readonly state: BootState; readonly reason?: ReasonId } {
  const end = stepOf(boot, 'end')
  if (end?.status === 'failed') return { state: 'failed', reason: 'installer-failed' }
  if (end || stepOf(boot, 'disk')) return { state: 'done' }
  const { signs } = boot
  if (signs.sending > 0 && nowMs - signs.sendingMs < longestTransferMs && signs.replacedMs === undefined)
    return { state: 'running' }
  const quietMs = nowMs - boot.lastMs
  for (const { id, state, fits } of reasons) if (fits(boot, quietMs)) return { state, reason: id }
  return { state: 'running' }
}

/** The boot with its state; the same object when it has not changed. */
export function judged(boot: Boot, nowMs: number): Boot {
  const { state, reason } = judge(boot, nowMs)
  if (boot.state === state && boot.reason === reason) return boot
  const { reason: _before, ...rest } = boot
  return { ...rest, state, ...(reason !== undefined && { reason }) }
}

/** Closes a boot: nothing is added any more. */
export function closed(boot: Boot, nowMs: number): Boot {
  return { ...judged(boot, nowMs), endMs: nowMs }
}
