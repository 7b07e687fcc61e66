import { describe, expect, test } from 'vitest'
import type { Boot, Step, StepKind } from '../../../server/core/boots/boot.ts'
import { compareBoots, isComparable } from '../../../server/core/boots/compare.ts'
import { recordingOf, theBoot } from '../../support/boots.ts'

const good: Boot = { ...theBoot(recordingOf('proxy-bios-ipxe')), id: 1 }

/** The same boot, some time later, with other steps. */
function again(change: (step: Step) => Step | undefined, more: Partial<Boot> = {}): Boot {
  const steps = good.steps.flatMap((step) => change(step) ?? [])
  return { ...good, id: 2, steps, ...more }
}

const longer = (kind: StepKind, ms: number) => (step: Step) =>
  step.kind === kind ? { ...step, endMs: step.endMs + ms } : step
const from = (kind: StepKind, ms: number) => {
  let isPast = false
  return (step: Step) => {
    isPast ||= step.kind === kind
    return isPast ? { ...step, startMs: step.startMs + ms, endMs: step.endMs + ms } : step
  }
}
const differences = (boot: Boot) => compareBoots(boot, good).differences

test('the same boot again does not differ', () => {
  expect(
    compareBoots(
      again((step) => step),
      good,
    ),
  ).toEqual({ boot: 1, startMs: good.startMs, differences: [] })
})

test('a step that took longer is slower, with both times', () => {
  const kernel = good.steps.find(({ kind }) => kind === 'kernel')
  const goodMs = (kernel?.endMs ?? 0) - (kernel?.startMs ?? 0)
  expect(differences(again(longer('kernel', 9000)))).toEqual([
    { kind: 'kernel', change: 'slower', ms: goodMs + 9000, goodMs },
  ])
  expect(differences(again(longer('kernel', 1500)))).toEqual([])
  // Twice as long, and less than that.
  const slow: Boot = { ...good, steps: good.steps.map(longer('packages', 60_000)) }
  expect(compareBoots(again(longer('packages', 100_000)), slow).differences).toEqual([])
  expect(compareBoots(again(longer('packages', 125_000)), slow).differences).toHaveLength(1)
})

test('only the step that comes late is later, and not those after it', () => {
  expect(differences(again(from('answer-file', 30_000)))).toMatchObject([
    { kind: 'answer-file', change: 'later' },
  ])
  expect(differences(again(from('answer-file', 5000)))).toEqual([])
})

test('a step that did not come is missing when the boot is past it, or goes on no further', () => {
  const without = (...kinds: StepKind[]) => again((step) => (kinds.includes(step.kind) ? undefined : step))
  expect(differences(without('stage2'))).toEqual([{ kind: 'stage2', change: 'missing' }])
  const beforeStage2 = without('stage2', 'answer-file', 'packages', 'report', 'end', 'disk')
  expect(differences({ ...beforeStage2, state: 'running' })).toEqual([])
  expect(differences({ ...beforeStage2, state: 'stalled' }).map(({ kind }) => kind)).toEqual([
    ...(good.steps.some(({ kind }) => kind === 'stage2') ? ['stage2'] : []),
    'answer-file',
    'packages',
    'end',
  ])
  // A name that is not there is no step that came.
  const lost = again((step) => (step.kind === 'initrd' ? { ...step, status: 'missing' } : step))
  expect(differences(lost)).toEqual([{ kind: 'initrd', change: 'missing' }])
  // Reports and logs depend on what is set here.
  expect(differences(without('report'))).toEqual([])
})

describe('what is compared', () => {
  const boot = again((step) => step)
  test.each([
    ['an earlier boot that ended well', {}, true],
    ['another guest', { guest: 'web09' }, false],
    ['another firmware', { firmware: 'uefi-x64' }, false],
    ['a start of its own disk', { purpose: 'local-disk' }, false],
    ['one that failed', { state: 'failed' }, false],
    ['a later one', { id: 3 }, false],
  ] as const)('%s: %o', (_name, more, expected) => {
    expect(isComparable(boot, { ...good, ...more })).toBe(expected)
  })

  test('of no guest nothing is known', () => {
    const { guest: _guest, ...nameless } = boot
    expect(isComparable(nameless, nameless)).toBe(false)
  })
})
