import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextState } from '../../../server/core/guest/next-state.ts'
import {
  type GuestEvent,
  type GuestState,
  newState,
  pinnedMs,
  pinnedOffer,
  stateAt,
  treeWish,
  whyLocalDisk,
} from '../../../server/core/guest/state.ts'
import { fedora40, makeGuest } from '../../support/boot-inputs.ts'

const guest = makeGuest('web01', { tree: fedora40 })
const patient = { ...guest, settings: { ...guest.settings, retry: { value: true, from: 'default' } } }
const machine = '10.0.0.7'
const desk = '10.0.0.99'

const offer: GuestEvent = { type: 'offered', tree: fedora40.id, wanted: treeWish(guest), client: machine }
const kernel: GuestEvent = { type: 'kernel', client: machine }
const answers = (client = machine, own = false): GuestEvent => ({ type: 'answer-file', client, own })
const says = (report: 'installing' | 'progress' | 'installed' | 'failed', detail?: string): GuestEvent => ({
  type: 'reported',
  report,
  client: machine,
  ...(detail !== undefined && { detail }),
})
const armed: GuestEvent = { type: 'install-once' }
const kept: GuestEvent = { type: 'local' }

/** One event each second; the life at the end. */
function live(...events: GuestEvent[]): GuestState {
  return events.reduce<GuestState>(
    (life, event, n) => nextState(life, event, (n + 1) * 1000)?.state ?? life,
    newState,
  )
}

describe('an installation', () => {
  test('is not begun by boot answers and kernels, however many', () => {
    expect(live(offer, offer, kernel, offer, kernel).state).toBe('install')
    expect(whyLocalDisk(guest, live(offer, kernel))).toBeUndefined()
  })
  test('begins when its installer fetched the answers, and is not started again by a reboot', () => {
    const life = live(offer, kernel, answers())
    expect(life).toMatchObject({ state: 'installing', sinceMs: 3000, installer: machine })
    expect(whyLocalDisk(guest, life)).toBe(
      'web01 began to install 1970-01-01 00:00 UTC and has not reported its end; again: treeboot install web01',
    )
  })
  test('unless retry says so', () => {
    expect(whyLocalDisk(patient, live(offer, kernel, answers()))).toBeUndefined()
  })
  test.each<[string, GuestEvent[], string]>([
    ['somebody looks at the answers of a guest that never came', [answers(desk)], 'install'],
    ['somebody looks after an offer whose kernel did not load', [offer, answers(desk)], 'install'],
    [
      'somebody looks after a new attempt, whose kernel has not loaded yet',
      [offer, kernel, offer, answers(desk)],
      'install',
    ],
    ['the machine itself fetches them, at the address of the offer', [offer, answers()], 'installing'],
    [
      'an installer with another address fetches them after the kernel',
      [offer, kernel, answers(desk)],
      'installing',
    ],
    ['a virtual machine that was never offered anything fetches them', [answers(desk, true)], 'install'],
    ['the guest fetches them at the address that is its own', [offer, answers(desk, true)], 'installing'],
    ['an installed guest fetches its answers', [says('installed'), answers(machine, true)], 'installed'],
  ])('%s', (_, events, state) => expect(live(...events).state).toBe(state))
  test('ends with its report, also for one that we never saw begin', () => {
    expect(live(offer, kernel, answers(), says('installed'))).toMatchObject({
      state: 'installed',
      sinceMs: 4000,
    })
    expect(live(says('installed')).state).toBe('installed')
    expect(whyLocalDisk(patient, live(says('installed')))).toMatch('is installed since 1970')
  })
  test('that failed stays where it is, with its reason', () => {
    const life = live(offer, answers(), says('failed', 'no disk'))
    expect(life).toMatchObject({ state: 'installing', failure: 'no disk' })
    expect(whyLocalDisk(guest, life)).toMatch('failed: no disk; again: treeboot install web01')
  })
})

describe('the operator', () => {
  test('arms exactly one installation, whatever was before', () => {
    for (const before of [[], [says('installed')], [offer, answers()], [kept], [armed]] as GuestEvent[][]) {
      const life = live(...before, armed)
      expect(life.state).toBe('install')
      expect(life).not.toHaveProperty('offer')
      const ended = [offer, kernel, answers(), says('installed'), offer, answers(machine, true)]
      expect(live(...before, armed, ...ended).state).toBe('installed')
    }
  })
  test('keeps a guest on its disk, against every report and offer', () => {
    expect(live(kept, offer, kernel, answers(machine, true), says('failed'), says('installed')).state).toBe(
      'local',
    )
  })
})

describe('the tree of a guest', () => {
  test('is bound from the first offer to the end', () => {
    expect(pinnedOffer(guest, live())?.tree).toBeUndefined()
    expect(pinnedOffer(guest, live(offer))?.tree).toBe(fedora40.id)
    expect(pinnedOffer(guest, live(offer, kernel, answers()))?.tree).toBe(fedora40.id)
    expect(pinnedOffer(guest, live(offer, kernel, answers(), says('installed')))?.tree).toBeUndefined()
    expect(pinnedOffer(guest, live(offer, armed))?.tree).toBeUndefined()
  })
  test('is freed by an edit of the configuration only while nothing began', () => {
    const edited = makeGuest('web01', { tree: 'f41' })
    expect(pinnedOffer(edited, live(offer))?.tree).toBeUndefined()
    expect(pinnedOffer(edited, live(offer, answers()))?.tree).toBe(fedora40.id)
  })
  test('is bound for 24 hours from the first offer, not from the last', () => {
    const again = nextState(live(offer, kernel), offer, pinnedMs)?.state ?? newState
    expect(pinnedOffer(guest, stateAt(again, pinnedMs + 999))?.tree).toBe(fedora40.id)
    expect(pinnedOffer(guest, stateAt(again, pinnedMs + 1000))?.tree).toBeUndefined()
    expect(pinnedOffer(guest, stateAt(live(offer), -pinnedMs))?.tree).toBeUndefined()
  })
})

describe('offers of several addresses', () => {
  const at = (client: string, tree: string = fedora40.id): GuestEvent => ({ ...offer, client, tree })
  const loaded = (client: string): GuestEvent => ({ type: 'kernel', client })

  test('stand side by side: one never replaces another', () => {
    const state = live(at(machine), at(desk), at(machine))
    expect(state.offers?.map(({ client }) => client)).toEqual([machine, desk])
    expect(live(at(machine), loaded(machine), at(desk)).offers?.[0]?.kernelMs).toBe(2000)
  })
  test('bind each address to its own tree, and any other to the one whose kernel was loaded last', () => {
    const state = live(at(machine, 'a'), at(desk, 'b'), loaded(machine))
    expect(pinnedOffer(guest, state, machine)?.tree).toBe('a')
    expect(pinnedOffer(guest, state, desk)?.tree).toBe('b')
    expect(pinnedOffer(guest, state, '10.0.0.50')?.tree).toBe('a')
    expect(pinnedOffer(guest, live(at(machine, 'a'), at(desk, 'b')), '10.0.0.50')?.tree).toBe('b')
  })
  test('are all but one gone when the installation begins', () => {
    const state = live(at(machine, 'a'), loaded(machine), at(desk, 'b'), answers(machine))
    expect(state.offers?.map(({ tree }) => tree)).toEqual(['a'])
    expect(pinnedOffer(guest, state, desk)?.tree).toBe('a')
  })
  test('of sixteen addresses are kept; those go first whose kernel was never loaded', () => {
    const others = Array.from({ length: 40 }, (_, n) => at(`10.1.0.${n}`))
    const state = live(at(machine), loaded(machine), ...others)
    expect(state.offers).toHaveLength(16)
    expect(state.offers?.map(({ client }) => client)).toContain(machine)
  })
})

describe('the story', () => {
  test('tells once of a loader that asks five times', () => {
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
  test('tells of the first boot from disk and not of each one after', () => {
    const boot: GuestEvent = { type: 'sent-to-disk', client: machine }
    const first = nextState(live(says('installed')), boot, 60_000)
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
    answers(desk, true),
    says('installing'),
    says('failed'),
    says('installed'),
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 30 }), (events) => {
      let life = newState
      let began = false
      for (const [n, each] of events.entries()) {
        life = nextState(life, each, n * 1000)?.state ?? life
        began ||= life.state !== 'install'
        if (began) expect(whyLocalDisk(guest, life)).toBeDefined()
      }
    }),
  )
})
