import { expect, test } from 'vitest'
import { stepText } from '../../../server/api/views.ts'
import { describeEvent } from '../../../server/events/log.ts'
import { treebootIn } from '../../support/cli.ts'
import { temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

const step = { atMs: 0, install: 1, client: '' }

test('a list of guests that is cut says how many more there are', async () => {
  const cwd = temporaryFolder()
  const guests = Array.from({ length: 46 }, (_, n) => `  node${n}: { mac: "52:54:00:00:00:${n + 10}" }\n`)
  writeBelow(cwd, 'config.yaml', `guests:\n${guests.join('')}`)
  const { code, err } = await treebootIn(cwd, 'guests', 'show', 'zzzzzz')
  expect(code).toBe(3)
  expect(err).toMatch(/guests: node0, .*node19 and 26 more\n$/)
})

test('an order says what the guest was in words', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: { web01: {} }\n')
  await treebootIn(cwd, 'install', 'web01')
  expect((await treebootIn(cwd, 'local', 'web01')).out).toMatch(/^web01 was to be installed since \d{4}-/)
  expect((await treebootIn(cwd, 'hold', 'web01')).out).toMatch(/^web01 was local since \d{4}-/)
})

test('what an installer says is told alike', () => {
  expect(stepText({ ...step, kind: 'progress', detail: 'partitioning' })).toBe(
    'its installer says: partitioning',
  )
  expect(stepText({ ...step, kind: 'failed', detail: 'no disk' })).toBe('its installer says: failed, no disk')
  expect(stepText({ ...step, kind: 'installed', detail: '' })).toBe('its installer says: installed')
})

test.each([
  [{ guest: 'web01', machine: '52:54:00:aa:bb:01' }, 'http 10.0.0.7 (web01) boots: menu of 2 trees'],
  [{ machine: '52:54:00:aa:bb:01' }, 'http 10.0.0.7 (52:54:00:aa:bb:01) boots: menu of 2 trees'],
  [{}, 'http 10.0.0.7 boots: menu of 2 trees'],
])('the log names the machine that boots: %j', (named, text) => {
  const event = { type: 'boot', protocol: 'http', client: '10.0.0.7', decision: 'menu of 2 trees' } as const
  expect(describeEvent({ ...event, ...named }).text).toBe(text)
})
