import type { VmFirmware } from '../boot/test-firmware.ts'

/**
 * What a boot test of a version looks for, in the order in which a machine gets there. Each is a file that the machine
 * fetches, and words on its serial line that show that the file runs.
 */
export const reachPoints = ['kernel', 'initrd', 'stage2', 'answer'] as const

export type ReachPoint = (typeof reachPoints)[number]

/** For people. */
export const reachWords: Readonly<Record<ReachPoint, string>> = {
  kernel: 'kernel',
  initrd: 'initrd',
  stage2: 'stage 2',
  answer: 'answer file',
}

/** `auto`: the furthest point that the installer is known to show. */
export type Reach = ReachPoint | 'auto'

/**
 * What a machine with one kind of firmware showed. `impossible`: it could not be started here, which says nothing about the
 * version.
 */
export interface BootTestResult {
  readonly firmware: VmFirmware
  readonly outcome: 'passed' | 'failed' | 'impossible'
  /** For `passed`: the points that the machine showed. */
  readonly reached?: readonly ReachPoint[]
  /** From switching the machine on to its last point, or to its end. */
  readonly ms?: number
  /** For the other two: what was seen, or what is missing here and what to do about it. */
  readonly why?: string
  /** For `passed`: what the test says nothing of. */
  readonly untested?: string
  /** For `failed`: the file with the serial line. */
  readonly log?: string
}

/**
 * Why a version is not published, one line for each firmware. What could not be tested here is a fault when the test is
 * required: it is never taken for a pass.
 */
export function bootTestFaults(results: readonly BootTestResult[], required: boolean): string[] {
  return results
    .filter(({ outcome }) => outcome === 'failed' || (outcome === 'impossible' && required))
    .map(resultText)
}

/** One result for people: `bios: passed after 12 s: kernel, initrd, stage 2, answer file`. */
export function resultText(result: BootTestResult): string {
  const { firmware, outcome, reached = [], ms, why, log, untested } = result
  const after = ms === undefined ? '' : ` after ${Math.round(ms / 1000)} s`
  if (outcome === 'passed') {
    const points = reached.map((point) => reachWords[point]).join(', ')
    return `${firmware}: passed${after}: ${points}${untested === undefined ? '' : `; not tested: ${untested}`}`
  }
  const kept = log === undefined ? '' : `; its serial line is in ${log}`
  return `${firmware}: ${outcome === 'failed' ? `FAILED${after}` : 'not possible here'}: ${why ?? 'no reason is known'}${kept}`
}
