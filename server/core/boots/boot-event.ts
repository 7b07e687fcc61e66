import type { Boot, BootState, Step } from './boot.ts'
import { machineName } from './boot.ts'
import type { ReasonId } from './reason-ids.ts'

/** What has changed in a boot: its state, or some of its steps. */
export interface BootEvent {
  /** Grows with each event, also over restarts of the server; there may be gaps. */
  readonly seq: number
  readonly atMs: number
  /** `Boot.id` */
  readonly boot: number
  readonly machine: string
  readonly guest?: string
  readonly state: BootState
  readonly reason?: ReasonId
  /** The boot turned out to be a part of another, and is gone. */
  readonly removed?: true
  /** The steps that are new or have changed. */
  readonly steps: readonly Step[]
}

/**
 * Whether the only news is that the installer went on logging, with no new fault. Of that, one event in a while is enough: an
 * installer logs some lines for each package.
 */
export function onlyLogs(before: Boot | undefined, boot: Boot): boolean {
  if (before?.state !== boot.state || before.reason !== boot.reason || before.guest !== boot.guest)
    return false
  const changed = boot.steps.filter((step) => !before.steps.includes(step))
  const isMore = ({ kind, fault }: Step): boolean =>
    kind === 'log' && before.steps.some((step) => step.kind === 'log' && step.fault === fault)
  return boot.endMs === undefined && changed.every(isMore)
}

/** The event that leads from one picture of a boot to the next; undefined when nothing has changed that is shown. */
export function changeOf(
  before: Boot | undefined,
  boot: Boot,
  at: Pick<BootEvent, 'seq' | 'atMs'>,
): BootEvent | undefined {
  const steps = boot.steps.filter((step) => !before?.steps.includes(step))
  const isSame = before?.state === boot.state && before.reason === boot.reason && before.guest === boot.guest
  if (isSame && steps.length === 0) return undefined
  const { id, guest, state, reason } = boot
  return {
    ...at,
    boot: id,
    machine: machineName(boot),
    state,
    steps,
    ...(guest !== undefined && { guest }),
    ...(reason !== undefined && { reason }),
  }
}
