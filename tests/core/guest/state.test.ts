import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextState } from '../../../server/core/guest/next-state.ts'
import {
  bootsInstaller,
  type GuestEvent,
  type GuestState,
  type HoldReason,
  leadsToInstallation,
  newState,
  pinnedMs,
  pinnedOffer,
  treeSettingText,
  whyForgotten,
  whyHeld,
  whyLocalDisk,
  withoutOldOffers,
} from '../../../server/core/guest/state.ts'
import { fedora40, makeGuest } from '../../support/boot-inputs.ts'
import { stating } from '../../support/stating.ts'

const guest = makeGuest('web01', { tree: fedora40 })
const retrying = { ...guest, settings: { ...guest.settings, retry: { value: true, from: 'default' } } }
const machine = '10.0.0.7'
const desk = '10.0.0.99'

const offer: GuestEvent = {
  type: 'offered',
  tree: fedora40.id,
  treeSetting: treeSettingText(guest),
  client: machine,
}
const kernel: GuestEvent = { type: 'kernel', client: machine }
const answers = (client = machine): GuestEvent => ({ type: 'answer-file', client, own: false })
/** The same, and the client has the address that the configuration gives the guest. */
const ownAnswers = (client: string): GuestEvent => ({ type: 'answer-file', client, own: true })
const says = (report: 'installing' | 'progress' | 'installed' | 'failed', detail?: string): GuestEvent => ({
  type: 'reported',
  report,
  client: machine,
  ...(detail !== undefined && { detail }),
})
/** The same of a guest that has `retry`. */
const retryingOf = (event: GuestEvent): GuestEvent => ({ ...event, retry: true }) as GuestEvent
const armed: GuestEvent = { type: 'install-once' }
const kept: GuestEvent = { type: 'local' }

/** The state after these events, one each second. */
function stateAfter(...events: GuestEvent[]): GuestState {
  return events.reduce<GuestState>(
    (state, event, n) => nextState(state, event, (n + 1) * 1000)?.state ?? state,
    newState,
  )
}

describe('an installation', () => {
  test('does not begin with boot configurations and kernels, however many', () => {
    expect(stateAfter(offer, offer, kernel, offer, kernel).state).toBe('install')
    expect(whyLocalDisk(guest, stateAfter(offer, kernel))).toBeUndefined()
  })
  test('begins when its installer fetched the answer file, and a reboot does not start it again', () => {
    const state = stateAfter(offer, kernel, answers())
    expect(state).toMatchObject({ state: 'installing', sinceMs: 3000, installer: machine })
    expect(whyLocalDisk(guest, state)).toMatch(
      stating('web01', '1970-01-01 00:00 UTC', 'treeboot install web01'),
    )
  })
  test('starts again after a reboot when retry is set, and was when it began', () => {
    const again = (event: GuestEvent) => stateAfter(offer, kernel, retryingOf(answers()), event)
    for (const event of [answers(), says('progress'), says('failed', 'no disk')]) {
      expect(whyLocalDisk(retrying, again(event))).toBeUndefined()
      expect(whyLocalDisk(guest, again(event))).toBeDefined()
    }
    expect(whyLocalDisk(retrying, stateAfter(retryingOf(says('failed'))))).toBeUndefined()
    expect(whyLocalDisk(retrying, stateAfter(retryingOf(says('installing'))))).toBeUndefined()
  })
  // Its template may not report: then it was installed long ago.
  test('does not start again because retry is set later', () => {
    for (const events of [[offer, kernel, answers()], [says('installing')], [says('failed')]])
      expect(whyLocalDisk(retrying, stateAfter(...events))).toMatch(stating('treeboot install web01'))
    const takenBack = stateAfter(offer, kernel, answers(), armed, { type: 'take-back' })
    expect(whyLocalDisk(retrying, takenBack)).toBeDefined()
  })
  test('may retry again when the order of another one is taken back', () => {
    const begun = [offer, kernel, retryingOf(answers())]
    expect(stateAfter(...begun, armed)).not.toHaveProperty('retry')
    expect(whyLocalDisk(retrying, stateAfter(...begun, armed, { type: 'take-back' }))).toBeUndefined()
  })
  test.each<[string, GuestEvent[], string]>([
    ['somebody reads the answer file of a guest that was never offered a boot', [answers(desk)], 'install'],
    ['somebody reads it after an offer whose kernel did not load', [offer, answers(desk)], 'install'],
    [
      'somebody reads it after a new offer whose kernel has not loaded yet',
      [offer, kernel, offer, answers(desk)],
      'install',
    ],
    ['the machine fetches it at the address of the offer', [offer, answers()], 'installing'],
    [
      'an installer with another address fetches it after the kernel',
      [offer, kernel, answers(desk)],
      'installing',
    ],
    // virt-install boots the kernel itself: such a machine asks for no boot configuration.
    ['a machine that was never offered anything fetches it', [ownAnswers(desk)], 'install'],
    ['the guest fetches it at its own address', [offer, ownAnswers(desk)], 'installing'],
    ['an installed guest fetches its answer file', [says('installed'), ownAnswers(machine)], 'installed'],
  ])('%s', (_, events, state) => expect(stateAfter(...events).state).toBe(state))
  test('ends with its report, even if treeboot never saw it begin', () => {
    expect(stateAfter(offer, kernel, answers(), says('installed'))).toMatchObject({
      state: 'installed',
      sinceMs: 4000,
    })
    expect(stateAfter(says('installed')).state).toBe('installed')
    expect(whyLocalDisk(retrying, stateAfter(says('installed')))).toMatch(stating('installed', '1970-01-01'))
  })
  test('that failed keeps its state, with the reason', () => {
    const state = stateAfter(offer, answers(), says('failed', 'no disk'))
    expect(state).toMatchObject({ state: 'failed', failure: 'no disk' })
    expect(whyLocalDisk(guest, state)).toMatch(stating('no disk', 'treeboot install web01'))
  })
  test('that failed begins anew with the next answer file, or with what its installer says', () => {
    const failed = [offer, kernel, answers(), says('failed', 'no disk')]
    for (const event of [answers(), says('installing')]) {
      const again = stateAfter(...failed, event)
      expect(again.state).toBe('installing')
      expect(again).not.toHaveProperty('failure')
    }
    expect(stateAfter(...failed, answers('10.9.9.9')).state).toBe('installing')
    expect(stateAfter(says('failed'), answers()).state).toBe('failed')
  })
})

describe('a held guest', () => {
  const held = (reason: HoldReason): GuestEvent => ({ type: 'hold', reason })
  const reasons: HoldReason[] = ['new store', 'old store', 'renamed', 'by admin']

  test.each(reasons)('%s: boots its disk, and nothing but an order arms it', (reason) => {
    const events = [offer, kernel, answers(), says('installing'), says('failed')]
    const state = stateAfter(offer, kernel, held(reason), ...events)
    expect(state).toMatchObject({ state: 'held', hold: reason })
    expect(state).not.toHaveProperty('offers')
    for (const each of [guest, retrying])
      expect(whyLocalDisk(each, state)).toMatch(stating('web01', 'held', 'treeboot install web01'))
    expect(stateAfter(held(reason), armed)).toMatchObject({ state: 'install', install: 1 })
    expect(stateAfter(held(reason), armed)).not.toHaveProperty('hold')
    expect(stateAfter(held(reason), kept)).not.toHaveProperty('hold')
  })
  test('is installed when its installer says so, unless a person holds it', () => {
    for (const reason of reasons)
      expect(stateAfter(held(reason), says('installed')).state).toBe(
        reason === 'by admin' ? 'held' : 'installed',
      )
  })
  test('has a reason for each of its causes', () => {
    expect(new Set(reasons.map((hold) => whyHeld({ hold }))).size).toBe(reasons.length)
    expect(whyHeld({ hold: 'by admin' })).toBe('by admin')
  })
})

describe('what leads to an installation', () => {
  test('is an order, and a failure that is tried again', () => {
    expect(leadsToInstallation(armed, false)).toBe(true)
    expect(leadsToInstallation(says('failed'), true)).toBe(true)
    const toDisk = [says('failed'), says('installed'), says('installing'), kept, offer, answers()]
    for (const event of toDisk) expect(leadsToInstallation(event, false)).toBe(false)
    for (const event of toDisk.slice(1)) expect(leadsToInstallation(event, true)).toBe(false)
  })
  test('is what makes a machine boot its installer', () => {
    const events = [
      armed,
      kept,
      offer,
      kernel,
      answers(),
      says('installing'),
      says('failed'),
      says('installed'),
    ]
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 12 }), fc.boolean(), (all, retry) => {
        let state = newState
        for (const [n, event] of all.entries()) {
          const next = nextState(state, event, n * 1000)?.state ?? state
          const before = bootsInstaller(state.state, retry)
          if (!before && bootsInstaller(next.state, retry))
            expect(leadsToInstallation(event, retry)).toBe(true)
          state = next
        }
      }),
    )
  })
})

describe('the operator', () => {
  test('starts exactly one installation, whatever happened before', () => {
    for (const before of [[], [says('installed')], [offer, answers()], [kept], [armed]] as GuestEvent[][]) {
      const state = stateAfter(...before, armed)
      expect(state.state).toBe('install')
      expect(state).not.toHaveProperty('offers')
      const ended = [offer, kernel, answers(), says('installed'), offer, ownAnswers(machine)]
      expect(stateAfter(...before, armed, ...ended).state).toBe('installed')
    }
  })
  test('can take an order back until the installation begins', () => {
    const back: GuestEvent = { type: 'take-back' }
    const before: GuestEvent[][] = [
      [says('installed')],
      [kept],
      [says('failed', 'no disk')],
      [{ type: 'hold', reason: 'by admin' }],
    ]
    for (const events of before) {
      const { last: _, ...was } = stateAfter(...events)
      const { last: __, ...is } = stateAfter(...events, armed, armed, offer, back)
      expect(is).toEqual({ ...was, install: was.install + 2 })
      expect(stateAfter(...events, armed, offer, kernel, answers(), back).state).toBe('installing')
      expect(stateAfter(...events, armed, says('failed'), back).state).toBe('failed')
    }
    expect(stateAfter(armed, back).state).toBe('install')
    expect(stateAfter(back)).toEqual(newState)
  })
  test('is reminded of an order that no machine came for', () => {
    const day = 24 * 3_600_000
    const state = stateAfter(says('installed'), armed)
    expect(whyForgotten('web01', state, 7 * day)).toBeUndefined()
    expect(whyForgotten('web01', state, 8 * day)).toMatch(
      stating('web01', 'treeboot install --take-back web01'),
    )
    expect(whyForgotten('web01', stateAfter(armed, offer), 8 * day)).toBeUndefined()
    expect(whyForgotten('web01', newState, 8 * day)).toBeUndefined()
    expect(whyForgotten('web01', stateAfter(kept), 8 * day)).toBeUndefined()
  })
  test('keeps a guest on its disk, against every report and offer', () => {
    expect(
      stateAfter(kept, offer, kernel, ownAnswers(machine), says('failed'), says('installed')).state,
    ).toBe('local')
  })
})

describe('the tree of a guest', () => {
  test('is fixed from the first offer to the end of the installation', () => {
    expect(pinnedOffer(guest, stateAfter())?.tree).toBeUndefined()
    expect(pinnedOffer(guest, stateAfter(offer))?.tree).toBe(fedora40.id)
    expect(pinnedOffer(guest, stateAfter(offer, kernel, answers()))?.tree).toBe(fedora40.id)
    expect(pinnedOffer(guest, stateAfter(offer, kernel, answers(), says('installed')))?.tree).toBeUndefined()
    expect(pinnedOffer(guest, stateAfter(offer, armed))?.tree).toBeUndefined()
  })
  test('follows an edit of the configuration only before the installation began', () => {
    const edited = makeGuest('web01', { tree: 'f41' })
    expect(pinnedOffer(edited, stateAfter(offer))?.tree).toBeUndefined()
    expect(pinnedOffer(edited, stateAfter(offer, answers()))?.tree).toBe(fedora40.id)
  })
  test('is fixed for 24 hours from the first offer, not from the last', () => {
    // The first offer was made at 1000 ms.
    const again = nextState(stateAfter(offer, kernel), offer, pinnedMs)?.state ?? newState
    expect(pinnedOffer(guest, withoutOldOffers(again, pinnedMs + 999))?.tree).toBe(fedora40.id)
    expect(pinnedOffer(guest, withoutOldOffers(again, pinnedMs + 1000))?.tree).toBeUndefined()
    // A clock that was set back puts the offer as far into the future.
    expect(pinnedOffer(guest, withoutOldOffers(stateAfter(offer), -pinnedMs))?.tree).toBeUndefined()
  })
})

test('a clock that becomes right between offer and answer file, or is lost then, lets the installation begin all the same', () => {
  const year = Date.UTC(2026, 10, 1)
  const begun = (offeredMs: number, fetchedMs: number) => {
    const { state = newState } = nextState(newState, offer, offeredMs) ?? {}
    return nextState(state, ownAnswers(machine), fetchedMs)?.state.state
  }
  expect(begun(60_000, year)).toBe('installing')
  expect(begun(year, 60_000)).toBe('installing')
  expect(begun(year, year + pinnedMs)).toBeUndefined()
})

describe('offers of several addresses', () => {
  const at = (client: string, tree: string = fedora40.id): GuestEvent => ({ ...offer, client, tree })
  const loaded = (client: string): GuestEvent => ({ type: 'kernel', client })

  test('are kept beside each other', () => {
    // The third offer repeats the first, and changes nothing.
    const state = stateAfter(at(machine), at(desk), at(machine))
    expect(state.offers?.map(({ client }) => client)).toEqual([machine, desk])
    expect(stateAfter(at(machine), loaded(machine), at(desk)).offers?.[0]?.kernelMs).toBe(2000)
  })
  test('fix the tree of each address; any other address gets the tree whose kernel was loaded last', () => {
    const state = stateAfter(at(machine, 'a'), at(desk, 'b'), loaded(machine))
    expect(pinnedOffer(guest, state, machine)?.tree).toBe('a')
    expect(pinnedOffer(guest, state, desk)?.tree).toBe('b')
    expect(pinnedOffer(guest, state, '10.0.0.50')?.tree).toBe('a')
    expect(pinnedOffer(guest, stateAfter(at(machine, 'a'), at(desk, 'b')), '10.0.0.50')?.tree).toBe('b')
  })
  test('are reduced to one when the installation begins', () => {
    const state = stateAfter(at(machine, 'a'), loaded(machine), at(desk, 'b'), answers(machine))
    expect(state.offers?.map(({ tree }) => tree)).toEqual(['a'])
    expect(pinnedOffer(guest, state, desk)?.tree).toBe('a')
  })
  test('are kept for sixteen addresses; those whose kernel was never loaded are dropped first', () => {
    const others = Array.from({ length: 40 }, (_, n) => at(`10.1.0.${n}`))
    const state = stateAfter(at(machine), loaded(machine), ...others)
    expect(state.offers).toHaveLength(16)
    expect(state.offers?.map(({ client }) => client)).toContain(machine)
  })
})

describe('the history', () => {
  test('has one entry for a loader that repeats its request', () => {
    const first = nextState(undefined, offer, 1000)
    expect(first?.entry).toEqual({
      atMs: 1000,
      install: 0,
      kind: 'offered',
      detail: fedora40.id,
      client: machine,
    })
    expect(nextState(first?.state, offer, 1500)).toBeUndefined()
    expect(nextState(first?.state, { ...offer, client: desk }, 1500)).toBeDefined()
  })
  test('has an entry for the first boot from disk and not for later ones', () => {
    const boot: GuestEvent = { type: 'sent-to-disk', client: machine }
    const first = nextState(stateAfter(says('installed')), boot, 60_000)
    expect(first?.entry.kind).toBe('disk')
    expect(nextState(first?.state, boot, 61_000)).toBeUndefined()
  })
})

test('no order of events starts a second installation without the operator', () => {
  const event = fc.constantFrom(
    offer,
    kernel,
    answers(),
    answers(desk),
    ownAnswers(desk),
    says('installing'),
    says('failed'),
    says('installed'),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      let state = newState
      let began = false
      for (const [n, each] of events.entries()) {
        state = nextState(state, each, n * 1000)?.state ?? state
        began ||= state.state !== 'install'
        if (began) expect(whyLocalDisk(guest, state)).toBeDefined()
      }
    }),
  )
})
