import type { BootBody, BootDetailBody } from '../../api/types.ts'
import { type Step, stepWords } from '../../core/boots/boot.ts'
import { duration } from '../../events/units.ts'
import { stepText } from '../../feed/boot-words.ts'
import type { CliIo } from './io.ts'
import { stateCell, stateText } from './states.ts'
import { localTime, printable, table } from './table.ts'

/** Boots as the terminal shows them. */

/** One line for each boot. */
export function bootsTable(boots: readonly BootBody[], nowMs: number, io: Pick<CliIo, 'color'>): string {
  const rows = boots.map(({ id, state, machine, where, start, last, end }) => {
    const isOpen = end === null && state !== 'done'
    const untilMs = isOpen ? nowMs : Date.parse(last)
    const began = Date.parse(start)
    return [
      String(id),
      stateCell('boot', state, io),
      machine,
      where,
      duration(untilMs - began),
      localTime(began),
    ]
  })
  return table([['ID', 'STATE', 'MACHINE', 'WHERE IT IS', 'FOR', 'BEGAN'], ...rows])
}

/** One boot: a sentence, its steps, and what to try. */
export function bootText(boot: BootDetailBody, nowMs: number, io: Pick<CliIo, 'color'>): string {
  const { id, state, machine, reason, start, last, end, firmware, tree, macs, addresses, comparison } = boot
  const head = [`boot ${id} of ${machine}`, stateText('boot', state, io), localTime(Date.parse(start))]
  const about = [
    firmware && `firmware ${firmware}`,
    macs.length > 0 && `MAC ${macs.join(', ')}`,
    addresses.length > 0 && `address ${addresses.join(', ')}`,
    tree && `tree ${tree}`,
  ]
  const steps = boot.steps.map((step) => [
    signs[step.status],
    stepWords[step.kind],
    clock(Date.parse(step.start)),
    stepDuration(step),
    stepText(step),
  ])
  const isQuiet = end === null && state !== 'done'
  return [
    `${head.join('  ')}\n`,
    `${about
      .filter(Boolean)
      .map((text) => printable(String(text)))
      .join('  ')}\n`,
    isQuiet ? `quiet for ${duration(nowMs - Date.parse(last))}\n` : '',
    reason === null ? '' : reasonText(reason),
    '\n',
    table(steps),
    comparison === null ? '' : comparisonText(comparison),
  ].join('')
}

const signs: Readonly<Record<Step['status'], string>> = {
  running: '~',
  done: 'v',
  missing: '!',
  'broken-off': '!',
  failed: 'x',
}

export function reasonText({ seen, means, try: attempt }: NonNullable<BootBody['reason']>): string {
  return `\nSeen:  ${printable(seen)}\nMeans: ${means}\nTry:   ${attempt}\n`
}

type Comparison = NonNullable<BootDetailBody['comparison']>

/** What is not as it was in the last boot that ended well. */
function comparisonText({ boot, start, differences }: Comparison): string {
  const other = `the last good boot, ${boot} of ${localTime(Date.parse(start))}`
  if (differences.length === 0) return `\nAs in ${other}.\n`
  return `\nNot as in ${other}:\n${differences.map((each) => `  ${differenceText(each)}\n`).join('')}`
}

function differenceText({ step, change, ms, goodMs }: Comparison['differences'][number]): string {
  const name = stepWords[step]
  if (change === 'missing') return `${name} did not come`
  const times = `${duration(ms ?? 0)}, ${duration(goodMs ?? 0)} then`
  return change === 'slower' ? `${name} took ${times}` : `${name} began after a pause of ${times}`
}

function stepDuration({ start, end, status }: BootDetailBody['steps'][number]): string {
  return status === 'missing' ? '-' : duration(Date.parse(end) - Date.parse(start))
}

/** `14:02:03`, in the time zone of this process. */
export function clock(ms: number): string {
  return localTime(ms).slice(11)
}
