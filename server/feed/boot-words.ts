import type { Boot, Step } from '../core/boots/boot.ts'
import { reasonNamed } from '../core/boots/reasons.ts'
import { bytes } from '../events/units.ts'

/** What a step is told by: of a boot in the store, or of one that a server shows. */
export interface StepWords
  extends Pick<Step, 'kind' | 'status' | 'what' | 'bytes' | 'rate' | 'count' | 'retries'> {
  readonly words?: string | null
  readonly lost?: string | null
  readonly fault?: string | null
}

/** Where a boot is, in a few words. */
export function whereItIs(boot: Boot): string {
  const last = boot.steps.at(-1)
  if (boot.reason !== undefined) return reasonNamed(boot.reason).seen(boot)
  if (boot.state === 'done') {
    const isInstalled = boot.steps.some(({ kind }) => kind === 'end')
    const onDisk = last?.kind === 'disk'
    if (isInstalled) return onDisk ? 'installed, booted its disk' : 'installed'
    return 'started its disk'
  }
  if (boot.purpose === 'menu' && last?.kind === 'configuration') return 'at the menu'
  return last ? stepText(last) : 'first packet'
}

/** A step in a few words: what it was, how much and how fast. */
export function stepText({
  kind,
  status,
  what,
  words,
  bytes: size,
  rate,
  count,
  retries,
  lost,
  fault,
}: StepWords): string {
  const lostText = status === 'missing' ? `not found: ${lost ?? what}` : ''
  if (kind === 'log')
    return [what, `${count} lines`, fault && `fault: "${fault}"`, words && words !== fault && `"${words}"`]
      .filter(Boolean)
      .join('  ')
  const parts =
    kind === 'packages'
      ? [`packages ${count}`, size > 0 && bytes(size), rate > 0 && `${bytes(rate)}/s`]
      : [
          lostText || what,
          size > 0 && bytes(size),
          rate > 0 && status === 'done' && `${bytes(rate)}/s`,
          count > 1 && `${count} times`,
        ]
  return [...parts, retries > 0 && `${retries} retries`, words && `"${words}"`]
    .filter((part) => part !== false && part !== undefined && part !== '')
    .join('  ')
}
