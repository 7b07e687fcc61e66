import type { VmFirmware } from '../boot/test-firmware.ts'
import type { BootTestResult } from './result.ts'

/**
 * How far a boot test is. `queued`: tests that came earlier run or wait. `held`: a machine may be switched on only later.
 * `booting`: a machine runs.
 */
export interface BootTestProgress {
  /** The id of the version's tree. */
  readonly tree: string
  readonly state: 'starting' | 'queued' | 'held' | 'booting'
  /** For `queued`: 1 for the next one, of so many that wait. */
  readonly place?: number
  readonly waiting?: number
  /** For `held`: what keeps the machine from being switched on. */
  readonly why?: string
  /** Those that are to be tested; for `booting` the one that runs. */
  readonly firmware: readonly VmFirmware[]
  /** What the machines before it showed. */
  readonly results: readonly BootTestResult[]
}

export type OnBootTest = (progress: BootTestProgress) => void

/** `boot test of fedora-40: bios, uefi-x64, place 2 of 3`. */
export function progressText({
  tree,
  state,
  place = 1,
  waiting = place,
  why,
  firmware,
}: BootTestProgress): string {
  const what = `boot test of ${tree}: ${firmware.join(', ')}`
  if (state === 'queued') return `${what}, place ${place} of ${waiting}`
  if (state === 'held') return `${what}, waits: ${why ?? 'no reason is known'}`
  return state === 'booting' ? `${what} runs` : `${what} starts`
}
