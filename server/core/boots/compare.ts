import { type Boot, isDone, type Step, type StepKind, stepKinds, stepOf } from './boot.ts'

/** How a step differs from the same step of an earlier boot. */
export type StepDifference =
  /** It took longer. */
  | { readonly kind: StepKind; readonly change: 'slower'; readonly ms: number; readonly goodMs: number }
  /** It began longer after the step before it. */
  | { readonly kind: StepKind; readonly change: 'later'; readonly ms: number; readonly goodMs: number }
  /** It did not come, and this boot is past it or goes on no further. */
  | { readonly kind: StepKind; readonly change: 'missing' }

/** A boot beside the last one of the same machine that ended well. */
export interface Comparison {
  /** The id of the other one. */
  readonly boot: number
  readonly startMs: number
  /** In the order of the steps. */
  readonly differences: readonly StepDifference[]
}

/** Whether an earlier boot may be what this one is compared with: the same guest and firmware, told to do the same. */
export function isComparable(boot: Boot, earlier: Boot): boolean {
  if (boot.guest === undefined || boot.guest !== earlier.guest || earlier.id >= boot.id) return false
  return earlier.state === 'done' && earlier.firmware === boot.firmware && earlier.purpose === boot.purpose
}

/** A step is slower when it takes twice as long and two seconds more: below that, boots differ by chance. */
const slowerFactor = 2
const slowerMs = 2000
/** A machine tests its memory, or an installer reads a disk: the time between steps differs by more. */
const laterFactor = 1.5
const laterMs = 10_000

/** Steps that are one moment, or go on beside others. */
const withoutDuration: ReadonlySet<StepKind> = new Set(['log', 'report', 'end', 'disk'])
/** What a machine logs says nothing of when it began. */
const withoutBegin: ReadonlySet<StepKind> = new Set(['log'])
/** Whether these come depends on settings here, and not on the machine. */
const mayLack: ReadonlySet<StepKind> = new Set(['log', 'report'])

/** @param good The last boot that ended well, as `isComparable` finds it. */
export function compareBoots(boot: Boot, good: Boot): Comparison {
  const differences = good.steps.flatMap((before) => {
    const step = stepOf(boot, before.kind)
    if (!step || step.status === 'missing') return missing(boot, before)
    const found = [slower(step, before), later(boot, good, step.kind)]
    return found.filter((difference) => difference !== undefined)
  })
  return { boot: good.id, startMs: good.startMs, differences }
}

function missing(boot: Boot, { kind, status }: Step): readonly StepDifference[] {
  if (status !== 'done' || mayLack.has(kind)) return []
  // Our own disk is started long after the end, or never where somebody looks at the machine first.
  const isOver = boot.endMs !== undefined || (kind !== 'disk' && boot.state !== 'running')
  return isOver || isPast(boot, kind) ? [{ kind, change: 'missing' }] : []
}

function isBefore(kind: StepKind, other: StepKind): boolean {
  return stepKinds.indexOf(kind) < stepKinds.indexOf(other)
}

/** Whether a later step has come. */
function isPast({ steps }: Boot, kind: StepKind): boolean {
  return steps.some((step) => isBefore(kind, step.kind))
}

function slower(step: Step, before: Step): StepDifference | undefined {
  if (withoutDuration.has(step.kind)) return undefined
  const [ms, goodMs] = [step.endMs - step.startMs, before.endMs - before.startMs]
  const isSlower = ms >= slowerFactor * goodMs && ms - goodMs >= slowerMs
  return isSlower ? { kind: step.kind, change: 'slower', ms, goodMs } : undefined
}

function later(boot: Boot, good: Boot, kind: StepKind): StepDifference | undefined {
  if (withoutBegin.has(kind)) return undefined
  const before = good.steps
    .filter((step) => isBefore(step.kind, kind) && !withoutBegin.has(step.kind) && isDone(boot, step.kind))
    .at(-1)
  const [ms, goodMs] = [pauseBetween(boot, before?.kind, kind), pauseBetween(good, before?.kind, kind)]
  if (ms === undefined || goodMs === undefined) return undefined
  const isLater = ms >= laterFactor * goodMs && ms - goodMs >= laterMs
  return isLater ? { kind, change: 'later', ms, goodMs } : undefined
}

function pauseBetween(boot: Boot, from: StepKind | undefined, to: StepKind): number | undefined {
  const [first, second] = [from && stepOf(boot, from), stepOf(boot, to)]
  return first && second ? Math.max(0, second.startMs - first.endMs) : undefined
}
