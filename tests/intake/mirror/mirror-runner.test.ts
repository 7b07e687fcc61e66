import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import type { Event } from '../../../server/events/bus.ts'
import { MirrorRunner } from '../../../server/intake/mirror/mirror-runner.ts'
import { parse, refusal } from '../../support/config.ts'
import { temporaryFolder } from '../../support/tree-folder.ts'

test('mirrors are read from the configuration, and mistakes are named', () => {
  const { config } = parse(
    'mirrors:\n  f40:\n    url: https://a.example/os/\n    schedule: every 24h\n  deb: { url: [http://a/, ftp://b/], boot-only: true }\n',
  )
  expect(config.mirrors).toEqual([
    {
      id: 'f40',
      urls: ['https://a.example/os/'],
      schedule: { kind: 'every', ms: 86_400_000 },
      bootOnly: false,
    },
    { id: 'deb', urls: ['http://a/', 'ftp://b/'], bootOnly: true },
  ])
  expect(refusal('mirrors:\n  f40: { url: file:///etc }\n')).toContain(
    'expected a URL of http, https, ftp or rsync',
  )
  expect(refusal('mirrors:\n  f40: { url: http://a/, schedule: hourly }\n')).toContain('expected "every 24h"')
})

test('due mirrors run one after the other; a failure is reported and retried after an hour', async () => {
  const base = temporaryFolder()
  mkdirSync(join(base, 'trees'))
  // `b` has no schedule: it never runs here.
  const { config } = parse(
    'import: { max-unpacked: 1 }\nmirrors:\n  a: { url: http://a/, schedule: every 24h }\n  b: { url: http://b/ }\n  c: { url: http://c/, schedule: every 24h }\n',
  )
  const paths = { ...config.paths, trees: join(base, 'trees'), data: join(base, 'data') }
  const events: Event[] = []
  const asked: string[] = []
  let nowMs = Date.UTC(2026, 0, 1)
  const runner = new MirrorRunner({
    config: () => ({ ...config, paths }),
    events: (event) => events.push(event),
    clock: () => nowMs,
    run: async (_, [url = ''], options) => {
      asked.push(url)
      expect(options?.maxUnpackedBytes).toBe(2 ** 30)
      if (url === 'http://c/') throw new Failure('unavailable', 'c is down')
      return { trees: [], notes: [], resumed: false, unchanged: true }
    },
  })
  await runner.runDue()
  expect(asked).toEqual(['http://a/', 'http://c/'])
  expect(events).toEqual([{ type: 'publish', id: 'c', outcome: 'refused', lines: ['c is down'] }])
  nowMs += 3_600_000
  await runner.runDue()
  expect(asked).toEqual(['http://a/', 'http://c/', 'http://c/'])
  nowMs += 23 * 3_600_000
  await runner.runDue()
  expect(asked.slice(3)).toEqual(['http://a/', 'http://c/'])
  // The clock was years ahead when it ran, and was set right since.
  nowMs -= 10 * 365 * 24 * 3_600_000
  await runner.runDue()
  expect(asked.slice(5)).toEqual(['http://a/', 'http://c/'])
  await runner.runDue()
  expect(asked).toHaveLength(7)
  expect(Object.keys(JSON.parse(readFileSync(join(base, 'data/mirrors.json'), 'utf8')))).toEqual(['a', 'c'])
})
