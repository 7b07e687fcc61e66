import { expect, test } from 'vitest'
import { progressLine } from '../../../server/cli/output/progress.ts'
import type { Progress } from '../../../server/intake/import/progress.ts'

function shown(mode: 'terminal' | 'json' | 'none') {
  const said = { out: '', err: '' }
  const clock = { ms: 0 }
  const io = {
    out: (text: string) => {
      said.out += text
    },
    err: (text: string) => {
      said.err += text
    },
    ask: async () => undefined,
    exit: () => undefined,
    color: false,
    cwd: '/',
  }
  const line = progressLine(io, mode, () => clock.ms)
  const show = (atMs: number, progress: Progress) => {
    clock.ms = atMs
    line.show(progress)
  }
  return { said, show, line }
}

const mib = 1 << 20
const at = (done: number): Progress => ({
  stage: 'reading',
  doneBytes: done * mib,
  totalBytes: 100 * mib,
  file: 'images/install.img',
})

test('a terminal shows rate and time left of the last seconds, on one line', () => {
  const { said, show, line } = shown('terminal')
  show(0, at(0))
  show(1000, at(10))
  // Not shown: the line is renewed after 200 ms.
  show(1100, at(11))
  show(2000, at(20))
  line.end()
  const lines = said.err.split('\r').filter((each) => each.trim() !== '')
  expect(lines.map((each) => each.trimEnd())).toEqual([
    'reading    0 %  0 B of 100 MiB  images/install.img',
    'reading    10 %  10 MiB of 100 MiB  10 MiB/s  9.0 s left  images/install.img',
    'reading    20 %  20 MiB of 100 MiB  10 MiB/s  8.0 s left  images/install.img',
  ])
  expect(said.out).toBe('')
})

test('--json tells the same, a line a second, and nothing else', () => {
  const { said, show, line } = shown('json')
  show(0, at(0))
  // Not shown: a second has not passed.
  show(500, at(5))
  show(1000, at(20))
  // A new stage is shown at once.
  show(1500, { stage: 'verifying', doneBytes: 0 })
  line.end()
  const events = said.out
    .trim()
    .split('\n')
    .map((each) => JSON.parse(each))
  expect(events).toEqual([
    { event: 'progress', ...at(0), bytesPerSecond: 0 },
    { event: 'progress', ...at(20), bytesPerSecond: 20 * mib, secondsLeft: 4 },
    { event: 'progress', stage: 'verifying', doneBytes: 0, bytesPerSecond: 0 },
  ])
  expect(said.err).toBe('')
})

test('nothing is shown where standard error is no terminal', () => {
  const { said, show, line } = shown('none')
  show(0, at(0))
  show(5000, at(50))
  line.end()
  expect(said).toEqual({ out: '', err: '' })
})
