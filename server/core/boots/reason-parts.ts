import { type Boot, type BootState, type Step, type StepKind, stepOf } from './boot.ts'
import type { ReasonId } from './reason-ids.ts'

/**
 * Why a boot does not go on: what was seen, what it means, what to try. The first rule that fits is shown, so the
 * particular ones come before those that fit every silence. `docs/boots.md` shows the table.
 */
export interface Reason {
  readonly id: ReasonId
  readonly state: Exclude<BootState, 'running' | 'done'>
  /** One sentence of this boot. */
  readonly seen: (boot: Boot) => string
  readonly means: string
  readonly try: string
  /** @param quietMs How long the machine has said nothing. */
  readonly fits: (boot: Boot, quietMs: number) => boolean
}

/** The rules of one part of a boot. */
export type ReasonTable = Readonly<Partial<Record<ReasonId, Omit<Reason, 'id'>>>>

export const seconds = (count: number): number => count * 1000
export const minutes = (count: number): number => seconds(60 * count)

export const nameOf = (path: string | undefined): string => path?.slice(path.lastIndexOf('/') + 1) || 'a file'
export const lost = (boot: Boot, kind: StepKind): string => stepOf(boot, kind)?.lost ?? 'it'
export const isMissing = (boot: Boot, kind: StepKind): boolean => stepOf(boot, kind)?.status === 'missing'
export const has = (boot: Boot, kind: StepKind): boolean => stepOf(boot, kind) !== undefined
export const isReplaced = ({ signs }: Boot): boolean => signs.replacedMs !== undefined
/** Whether the machine went on after a step. */
export const wentBeyond = (boot: Boot, ...kinds: readonly StepKind[]): boolean =>
  kinds.some((kind) => has(boot, kind))
export const inInstaller: readonly StepKind[] = ['stage2', 'answer-file', 'log', 'packages', 'report']
/** A slow machine is late when it is half as slow again as it was. */
const usualFactor = 1.5
/**
 * Whether a machine is quiet for longer than usual: for any machine, and for this one as its last installation was. One that
 * has begun another boot says nothing more in this one.
 */
export const isQuiet = (boot: Boot, quietMs: number, enoughMs: number): boolean =>
  isReplaced(boot) ||
  quietMs >= Math.max(enoughMs, has(boot, 'kernel') ? usualFactor * (boot.usualMs ?? 0) : 0)

export const mostFetched = ({ steps }: Boot): Step | undefined =>
  steps
    .filter(
      ({ kind }) => kind === 'loader' || kind === 'configuration' || kind === 'kernel' || kind === 'initrd',
    )
    .sort((a, b) => b.again - a.again)[0]

/** In bytes: casper keeps the whole image in memory. */
export const largeImage = 2 ** 29

/** Whether the machine came here after the newest offer: that to its firmware, or that to iPXE which the firmware loaded. */
export function isTaken(boot: Boot): boolean {
  const firmwareCame = wentBeyond(boot, 'dhcp-confirmed', 'loader') && boot.signs.isLoaderRunning !== true
  return firmwareCame || wentBeyond(boot, 'configuration', 'kernel', ...inInstaller)
}

/** Who asked by DHCP: the machine, or the loader that it was sent. */
export function asker(boot: Boot): string {
  return boot.signs.isLoaderRunning ? `Its loader ${nameOf(stepOf(boot, 'loader')?.what)}` : 'It'
}

export function lastInstallerStep({ steps }: Boot): string {
  return steps.filter(({ kind }) => inInstaller.includes(kind)).at(-1)?.kind ?? ''
}

/** The last words of an installer that logs to us, as the end of a sentence about it. */
export function lastWords(boot: Boot): string {
  const log = stepOf(boot, 'log')
  const words = log?.fault ?? log?.words
  return words === undefined ? '' : ` Its log says: "${words}".`
}

export function count(boot: Boot, kind: StepKind): string {
  const times = stepOf(boot, kind)?.count ?? 0
  return times === 1 ? 'once' : `${times} times`
}

export function mib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}
