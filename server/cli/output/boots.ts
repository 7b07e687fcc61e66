import { type Boot, machineName, type Step, stepWords } from '../../core/boots/boot.ts'
import type { Comparison, StepDifference } from '../../core/boots/compare.ts'
import { type ReasonId, reasonNamed } from '../../core/boots/reasons.ts'
import { bytes, duration } from '../../events/units.ts'
import type { CliIo } from './io.ts'
import { stateCell, stateText } from './states.ts'
import { localTime, printable, table } from './table.ts'

/** Boots as the terminal shows them. */

/** One line for each boot. */
export function bootsTable(boots: readonly Boot[], nowMs: number, io: Pick<CliIo, 'color'>): string {
  const rows = boots.map((boot) => [
    String(boot.id),
    stateCell('boot', boot.state, io),
    machineName(boot),
    whereItIs(boot),
    duration((boot.endMs === undefined && boot.state !== 'done' ? nowMs : boot.lastMs) - boot.startMs),
    localTime(boot.startMs),
  ])
  return table([['ID', 'STATE', 'MACHINE', 'WHERE IT IS', 'FOR', 'BEGAN'], ...rows])
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

/** One boot: a sentence, its steps, and what to try. */
export function bootText(boot: Boot, nowMs: number, io: Pick<CliIo, 'color'>): string {
  const { id, state, reason, startMs, firmware, tree, macs, addresses } = boot
  const head = [`boot ${id} of ${machineName(boot)}`, stateText('boot', state, io), localTime(startMs)]
  const about = [
    firmware && `firmware ${firmware}`,
    macs.length > 0 && `MAC ${macs.join(', ')}`,
    addresses.length > 0 && `address ${addresses.join(', ')}`,
    tree && `tree ${tree}`,
  ]
  const steps = boot.steps.map((step) => [
    signs[step.status],
    stepWords[step.kind],
    clock(step.startMs),
    stepDuration(step),
    stepText(step),
  ])
  const quiet =
    boot.endMs === undefined && state !== 'done' ? `quiet for ${duration(nowMs - boot.lastMs)}\n` : ''
  return [
    `${head.join('  ')}\n`,
    `${about
      .filter(Boolean)
      .map((text) => printable(String(text)))
      .join('  ')}\n`,
    quiet,
    reason === undefined ? '' : reasonText(boot, reason),
    '\n',
    table(steps),
  ].join('')
}

const signs: Readonly<Record<Step['status'], string>> = {
  running: '~',
  done: 'v',
  missing: '!',
  'broken-off': '!',
  failed: 'x',
}

export function reasonText(boot: Boot, id: ReasonId): string {
  const { seen, means, try: attempt } = reasonNamed(id)
  return `\nSeen:  ${printable(seen(boot))}\nMeans: ${means}\nTry:   ${attempt}\n`
}

/** What is not as it was in the last boot that ended well. */
export function comparisonText({ boot, startMs, differences }: Comparison): string {
  const other = `the last good boot, ${boot} of ${localTime(startMs)}`
  if (differences.length === 0) return `\nAs in ${other}.\n`
  return `\nNot as in ${other}:\n${differences.map((each) => `  ${differenceText(each)}\n`).join('')}`
}

function differenceText(difference: StepDifference): string {
  const name = stepWords[difference.kind]
  if (difference.change === 'missing') return `${name} did not come`
  const { change, ms, goodMs } = difference
  const times = `${duration(ms)}, ${duration(goodMs)} then`
  return change === 'slower' ? `${name} took ${times}` : `${name} began after a pause of ${times}`
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
}: Step): string {
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

function stepDuration({ startMs, endMs, status }: Step): string {
  return status === 'missing' ? '-' : duration(endMs - startMs)
}

/** `14:02:03`, in the time zone of this process. */
export function clock(ms: number): string {
  return localTime(ms).slice(11)
}
