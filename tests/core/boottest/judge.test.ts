import { describe, expect, test } from 'vitest'
import { answerLine, type GoalInputs, goalsOf } from '../../../server/core/boottest/goals.ts'
import {
  afterLine,
  afterRequest,
  newSight,
  type Sight,
  verdictOf,
} from '../../../server/core/boottest/judge.ts'
import { bootTestFaults, resultText } from '../../../server/core/boottest/result.ts'
import { serialSignsOf } from '../../../server/core/distro/serial-signs.ts'

const kernel = '/trees/os/images/pxeboot/vmlinuz'
const initrd = '/trees/os/images/pxeboot/initrd.img'
const fedora: GoalInputs = {
  reach: 'auto',
  signs: serialSignsOf('anaconda'),
  kernel,
  initrd,
  hasStage2: true,
  hasAnswerFile: true,
}

const fetched = (sight: Sight, path: string) =>
  afterRequest(sight, { path, outcome: 'complete', isQuestion: false })
const missed = (sight: Sight, path: string) =>
  afterRequest(sight, { path, outcome: 'failed', isQuestion: false })
const lines = (sight: Sight, ...texts: string[]) => texts.reduce(afterLine, sight)

/** A machine of which the kernel and its initrd run, as the serial line of Linux 6.1 has it. */
function running(inputs = fedora): Sight {
  const loaded = fetched(fetched(newSight(goalsOf(inputs)), kernel), initrd)
  return lines(
    loaded,
    '[    0.000000] Linux version 6.1.0-38-amd64 (debian-kernel@lists.debian.org)',
    '[    1.204512] Freeing initrd memory: 37544K',
    '[    1.918033] Run /init as init process',
  )
}

describe('what a machine must show', () => {
  const points = (inputs: Partial<GoalInputs>) => goalsOf({ ...fedora, ...inputs }).map(({ point }) => point)

  test('auto: the furthest that its installer shows by a request and on the serial line', () => {
    expect(points({})).toEqual(['kernel', 'initrd', 'stage2', 'answer'])
    expect(points({ signs: serialSignsOf('debian-installer'), hasStage2: false })).toEqual([
      'kernel',
      'initrd',
      'answer',
    ])
    expect(points({ signs: serialSignsOf('casper') })).toEqual(['kernel', 'initrd'])
  })

  test('a point of the operator’s, also one that only a request shows', () => {
    expect(points({ reach: 'initrd' })).toEqual(['kernel', 'initrd'])
    expect(points({ reach: 'stage2', signs: {} })).toEqual(['kernel', 'initrd', 'stage2'])
    expect(points({ reach: 'answer', hasStage2: false })).toEqual(['kernel', 'initrd', 'answer'])
  })
})

describe('a machine passes', () => {
  test('with each point both fetched and shown', () => {
    let sight = fetched(fetched(running(), '/ks/boot-test'), '/trees/os/images/install.img')
    expect(verdictOf(sight)).toEqual({ state: 'running' })
    sight = lines(sight, 'anaconda 40.22.3-1 for Fedora 40 started.')
    expect(verdictOf(sight)).toEqual({ state: 'running' })
    sight = lines(sight, answerLine)
    expect(verdictOf(sight)).toEqual({ state: 'passed', reached: ['kernel', 'initrd', 'stage2', 'answer'] })
  })

  test('also when it has switched itself off by then', () => {
    expect(verdictOf(running({ ...fedora, reach: 'initrd' }), 'the machine switched itself off').state).toBe(
      'passed',
    )
  })

  test('not by words alone, nor by a HEAD', () => {
    const said = lines(running(), 'anaconda 40.22.3-1 for Fedora 40 started.', answerLine)
    const asked = afterRequest(said, { path: '/ks/boot-test', outcome: 'complete', isQuestion: true })
    expect(verdictOf(asked, 'its time was over')).toMatchObject({
      state: 'failed',
      why: expect.stringContaining('answer file (the serial line shows it, and nothing was fetched)'),
    })
  })

  test('not by a file of the same role for kernel and initrd', () => {
    const sight = fetched(newSight(goalsOf(fedora)), '/trees/os/isolinux/vmlinuz')
    expect(sight.files.size).toBe(0)
  })
})

describe('a machine fails', () => {
  const why = (sight: Sight, over?: string) => {
    const verdict = verdictOf(sight, over)
    return verdict.state === 'failed' ? verdict.why : verdict.state
  }

  test.each([
    [
      'the kernel panicked',
      '[    2.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)',
    ],
    ['an emergency shell was opened', 'Entering emergency mode. Exit the shell to continue.'],
    ['an emergency shell was opened', 'ALERT!  /dev/sda1 does not exist.  Dropping to a shell!'],
    ['the installer crashed', 'An unknown error has occurred'],
    ['the firmware found nothing to boot', 'No bootable device.'],
    ['the firmware found nothing to boot', 'BdsDxe: No bootable option or device was found.'],
  ])('%s: %s', (meaning, line) => {
    const text = why(lines(running(), line))
    expect(text).toContain(meaning)
    expect(text).toContain(line)
  })

  test('and the result names what was not reached, what it missed, and its last words', () => {
    const sight = lines(missed(running(), '/trees/os/images/install.img'), 'Entering emergency mode.')
    const text = why(sight)
    expect(text).toContain('not reached: stage 2, answer file')
    expect(text).toContain('asked for "/trees/os/images/install.img" and did not get it')
    expect(text).toContain(`last fetched: "${initrd}"`)
  })

  test('when its time is over, and not before', () => {
    expect(why(running())).toBe('running')
    expect(why(running(), 'it was silent for 150 s')).toContain('it was silent for 150 s')
  })

  test('words of a machine of any length and kind stay short and on one line', () => {
    const text = why(lines(running(), `Kernel panic - not syncing \u0007"${'x'.repeat(100_000)}`))
    expect(text.length).toBeLessThan(1000)
    expect(text).not.toMatch(/\p{Cc}/u)
  })

  test('what came first counts, whatever is written afterwards', () => {
    const sight = lines(
      running(),
      'Kernel panic - not syncing: Attempted to kill init!',
      'No bootable device.',
    )
    expect(why(sight)).toMatch(/^the kernel panicked/)
  })
})

describe('results', () => {
  const impossible = { firmware: 'secure-boot', outcome: 'impossible', why: 'ovmf is missing' } as const
  const failed = { firmware: 'bios', outcome: 'failed', why: 'the kernel panicked', ms: 12_400 } as const
  const passed = { firmware: 'direct', outcome: 'passed', reached: ['kernel', 'initrd'], ms: 7_000 } as const

  test('what could not be tested is a fault when the test is required, and never a pass', () => {
    expect(bootTestFaults([passed, impossible], true)).toEqual([
      'secure-boot: not possible here: ovmf is missing',
    ])
    expect(bootTestFaults([passed, impossible], false)).toEqual([])
    expect(bootTestFaults([failed], false)).toEqual(['bios: FAILED after 12 s: the kernel panicked'])
  })

  test('as one line for people', () => {
    expect(resultText(passed)).toBe('direct: passed after 7 s: kernel, initrd')
    expect(resultText({ ...failed, log: '/x/bios.log' })).toMatch(/its serial line is in \/x\/bios\.log$/)
  })
})
