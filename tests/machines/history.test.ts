import { expect, test } from 'vitest'
import type { BootDecision } from '../../server/core/boot/decision.ts'
import { createGuestIndex } from '../../server/core/guest/match.ts'
import { nextState } from '../../server/core/guest/next-state.ts'
import { GuestHistory } from '../../server/machines/history.ts'
import { memoryStore } from '../../server/store/memory/store.ts'
import { makeGuest } from '../support/boot-inputs.ts'
import { eventually } from '../support/eventually.ts'

const guest = makeGuest('web01', { macs: ['52:54:00:aa:bb:01'] })
const kernel = '/trees/fedora/40/images/pxeboot/vmlinuz'
const offer = { tree: 'fedora/40', kernel }
const decision: BootDecision = {
  kind: 'boot',
  summary: 'install fedora/40',
  facts: {},
  loader: 'ipxe',
  localDisk: false,
  guest: guest.name,
  offer,
}

test('an offer counts that was made after an order in another process, however many come after it', async () => {
  const store = memoryStore()
  const history = new GuestHistory({
    guests: () => createGuestIndex([guest]),
    events: () => {},
    clock: () => 1_000_000,
  })
  await history.open(store, { witnesses: [], acceptNew: true, installsUnknown: () => false })
  // Another process: `history` does not know of it yet.
  await store.change(guest.name, (before) => nextState(before, { type: 'install-once' }, 999_000))
  await history.booted(decision, '192.0.2.1')
  // More than the 16 offers that the state of a guest holds.
  for (let n = 1; n <= 20; n++) await history.booted(decision, `198.51.100.${n}`)
  const offersOf = () => history.stateOf(guest.name)?.offers?.map(({ client }) => client) ?? []
  expect(offersOf()).not.toContain('192.0.2.1')
  history.fetched('192.0.2.1', kernel)
  await eventually(() => expect(offersOf()).toContain('192.0.2.1'))
  expect(history.stateOf(guest.name)).toMatchObject({ state: 'install', install: 1 })
})

test('refused reports are one line for each guest, reason and minute, with a count of the others', async () => {
  let nowMs = 1_000_000
  const lines: string[] = []
  const history = new GuestHistory({
    guests: () => createGuestIndex([guest]),
    events: (event) => void (event.type === 'trouble' && lines.push(event.message)),
    clock: () => nowMs,
  })
  await history.open(memoryStore(), { witnesses: [], acceptNew: true, installsUnknown: () => false })
  const report = async (client: string, token?: string) => {
    const received = {
      report: 'installed',
      client,
      local: false,
      isForwarded: false,
      needsToken: false,
      ...(token !== undefined && { token }),
    } as const
    await expect(history.report(guest, received)).rejects.toMatchObject({ kind: 'forbidden' })
  }
  for (let i = 1; i <= 100; i++) await report(`192.0.2.${i}`)
  await report('192.0.2.1', 'guessed')
  expect(lines).toEqual([expect.stringMatching(/^192\.0\.2\.1 said/), expect.stringMatching(/token/)])
  nowMs += 60_000
  await report('192.0.2.1')
  expect(lines.slice(2)).toEqual([expect.stringMatching(/\(and 99 more like it before\)$/)])
})
