import { expect, test } from 'vitest'
import type { GuestState } from '../../server/core/guest/state.ts'
import { type ReceivedReport, whyNotBelieved } from '../../server/machines/report-trust.ts'
import { makeGuest } from '../support/boot-inputs.ts'
import { stating } from '../support/stating.ts'

const guest = makeGuest('web01', { ip: '10.0.0.7' })
const offer = { tree: 'f40', treeSetting: '', client: '10.0.0.8', firstMs: 1 }
const state: GuestState = {
  ...{ state: 'installing', sinceMs: 1, install: 2 },
  ...{ offers: [offer], installer: '10.0.0.9' },
}
const stranger = {
  report: 'installed',
  client: '10.9.9.9',
  local: false,
  isForwarded: false,
  needsToken: false,
} as const
const believed = (more: Partial<ReceivedReport>): string | undefined =>
  whyNotBelieved(guest, { ...stranger, ...more }, { state, token: 'right' })

test.each<[string, Partial<ReceivedReport>]>([
  ['the token of the installation', { token: 'right' }],
  [
    'the token, through a proxy, where one is needed',
    { token: 'right', isForwarded: true, needsToken: true },
  ],
  ['the address of the configuration', { client: '10.0.0.7' }],
  ['an address that was offered the installer', { client: '10.0.0.8' }],
  ['the address of the installer', { client: '10.0.0.9' }],
  ["treeboot's own machine", { local: true }],
])('a report from %s counts', (_, more) => expect(believed(more)).toBeUndefined())

test.each<[string, Partial<ReceivedReport>, string]>([
  ['a stranger', {}, '10.9.9.9'],
  ['somebody who guesses a token', { token: 'wrong', client: '10.0.0.7' }, 'token'],
  [
    "the guest's address without the token that it needs",
    { client: '10.0.0.7', needsToken: true },
    'needs the token',
  ],
  [
    "treeboot's own machine without the token that is needed",
    { local: true, needsToken: true },
    'needs the token',
  ],
  ['a proxy with the address of an offer', { client: '10.0.0.8', isForwarded: true }, 'proxy'],
])('a report from %s does not count, and the reason names the remedy', (_, more, why) => {
  expect(believed(more)).toMatch(stating(why, 'report_url'))
})

test('no token counts while the store is not open', () => {
  const report = { ...stranger, token: 'right' }
  expect(whyNotBelieved(guest, report, { state, token: undefined })).toBeDefined()
})
