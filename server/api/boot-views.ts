import type { z } from 'zod'
import { type Boot, lastStep, machineName } from '../core/boots/boot.ts'
import type { Comparison } from '../core/boots/compare.ts'
import { reasonNamed } from '../core/boots/reasons.ts'
import { whereItIs } from '../feed/boot-words.ts'
import { bootStepView } from '../feed/views.ts'
import type { bootDetail, bootSummary } from './schemas/boots.ts'
import { timeText } from './views.ts'

/** Converts boots to the JSON that the API sends. */

export function bootSummaryView(boot: Boot): z.input<typeof bootSummary> {
  const { id, macs, addresses, state, startMs, lastMs, endMs } = boot
  return {
    id,
    machine: machineName(boot),
    guest: boot.guest ?? null,
    macs,
    uuid: boot.uuid ?? null,
    addresses,
    firmware: boot.firmware ?? null,
    loader: boot.loader ?? null,
    tree: boot.tree ?? null,
    purpose: boot.purpose ?? null,
    state,
    reason: reasonView(boot),
    step: lastStep(boot)?.kind ?? null,
    where: whereItIs(boot),
    start: timeText(startMs),
    last: timeText(lastMs),
    end: endMs === undefined ? null : timeText(endMs),
  }
}

export function bootDetailView(boot: Boot, compared: Comparison | undefined): z.input<typeof bootDetail> {
  const { kernel = null, after = null, steps } = boot
  const comparison = compared ? comparisonView(compared) : null
  return { ...bootSummaryView(boot), kernel, after, steps: steps.map(bootStepView), comparison }
}

function comparisonView({
  boot,
  startMs,
  differences,
}: Comparison): NonNullable<z.input<typeof bootDetail>['comparison']> {
  return {
    boot,
    start: timeText(startMs),
    differences: differences.map(({ kind: step, ...difference }) => ({
      step,
      ms: null,
      goodMs: null,
      ...difference,
    })),
  }
}

function reasonView(boot: Boot): z.input<typeof bootSummary>['reason'] {
  if (boot.reason === undefined) return null
  const { id, seen, means, try: attempt } = reasonNamed(boot.reason)
  return { id, seen: seen(boot), means, try: attempt }
}
