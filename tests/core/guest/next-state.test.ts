import { describe, expect, test } from 'vitest'
import { nextState } from '../../../server/core/guest/next-state.ts'
import { type GuestEvent, type GuestState, newState } from '../../../server/core/guest/state.ts'

/** What each event changes, field by field. What follows for the machine is in state.test.ts. */

const [machine, other] = ['10.0.0.7', '10.0.0.8']
const release = { id: 'fedora', version: 3 }
const offer: Extract<GuestEvent, { type: 'offered' }> = {
  type: 'offered',
  tree: 'fedora/40',
  release,
  treeSetting: '"fedora"',
  client: machine,
  kernel: '/trees/fedora/40/vmlinuz',
}
const installing: GuestState = { state: 'installing', sinceMs: 5, install: 2, installer: machine }
const installed: GuestState = { state: 'installed', sinceMs: 5, install: 2 }
const says = (report: 'installing' | 'progress' | 'installed' | 'failed', detail?: string): GuestEvent => ({
  type: 'reported',
  report,
  client: machine,
  ...(detail !== undefined && { detail }),
})

/** A second later than the event before. */
function stateAfter(state: GuestState | undefined, ...events: readonly GuestEvent[]): GuestState {
  let now = state ?? newState
  for (const [n, event] of events.entries()) now = nextState(now, event, (n + 1) * 1000)?.state ?? now
  return now
}

describe('an order', () => {
  test('of one installation counts it, and forgets the one before', () => {
    const again = nextState({ ...installing, failure: 'no disk' }, { type: 'install-once' }, 9000)
    expect(again?.entry).toEqual({ atMs: 9000, install: 3, kind: 'armed', detail: '', client: '' })
    const { last, ...rest } = again?.state ?? newState
    const replaced = { state: 'installing', sinceMs: 5, installer: machine, failure: 'no disk' }
    expect(rest).toEqual({ state: 'install', sinceMs: 9000, install: 3, before: replaced })
    expect(last?.kind).toBe('armed')
  })
  test('to keep the disk keeps the number', () => {
    expect(stateAfter(installing, { type: 'local' })).toMatchObject({
      state: 'local',
      sinceMs: 1000,
      install: 2,
    })
  })
})

describe('an offer', () => {
  test('has the tree, the version, the kernel and the setting, and no more of the release', () => {
    const folder = '/trees/.treeboot/fedora/3'
    const { offers } = stateAfter(undefined, { ...offer, release: { ...release, folder } as typeof release })
    const { type: _, ...facts } = offer
    expect(offers).toEqual([{ ...facts, firstMs: 1000 }])
    const { release: _release, ...withoutRelease } = offer
    expect(stateAfter(undefined, withoutRelease).offers?.[0]).not.toHaveProperty('release')
  })
  test.each<[string, Partial<typeof offer>, number]>([
    ['the same', {}, 1000],
    ['another tree', { tree: 'fedora/41' }, 2000],
    ['another version', { release: { ...release, version: 4 } }, 2000],
    ['another release', { release: { ...release, id: 'fedora-server' } }, 2000],
    ['another setting', { treeSetting: '"fedora-server"' }, 2000],
  ])('%s that is made again counts from %j', (_, change, firstMs) => {
    const loaded = stateAfter(undefined, offer, { type: 'kernel', client: machine })
    const again = nextState(loaded, { ...offer, ...change }, 2000)?.state.offers
    expect(again).toMatchObject([{ firstMs }])
    // In the new attempt the kernel is not loaded yet.
    expect(again?.[0]).not.toHaveProperty('kernelMs')
  })
  test('changes nothing when it is repeated, unless something else came between', () => {
    const first = stateAfter(undefined, offer)
    expect(nextState(first, offer, 2000)).toBeUndefined()
    const disk = stateAfter(first, { type: 'sent-to-disk', client: machine })
    expect(nextState(disk, offer, 3000)?.entry.kind).toBe('offered')
  })
  test('is made to no machine whose installation has ended', () => {
    for (const state of ['installed', 'local'] as const)
      expect(nextState({ ...installed, state }, offer, 1000)).toBeUndefined()
    expect(nextState(installing, offer, 1000)?.state).toMatchObject({ state: 'installing', offers: [{}] })
  })
})

describe('a kernel', () => {
  test('counts for the offer of its address, with a line that names the tree', () => {
    const change = nextState(stateAfter(undefined, offer), { type: 'kernel', client: machine }, 4000)
    expect(change?.state.offers).toMatchObject([{ kernelMs: 4000, firstMs: 1000 }])
    expect(change?.entry).toMatchObject({ kind: 'kernel', detail: 'fedora/40', client: machine })
  })
  test('of an address without an offer changes nothing', () => {
    expect(nextState(stateAfter(undefined, offer), { type: 'kernel', client: other }, 4000)).toBeUndefined()
  })
})

describe('an answer file', () => {
  test('that begins the installation leaves the offer of its address, else the likeliest one', () => {
    const two = stateAfter(undefined, offer, { ...offer, client: other }, { type: 'kernel', client: other })
    const begun = (client: string) => stateAfter(two, { type: 'answer-file', client, own: false })
    expect(begun(machine)).toMatchObject({
      state: 'installing',
      installer: machine,
      offers: [{ client: machine }],
    })
    expect(begun('10.0.0.9')).toMatchObject({ installer: '10.0.0.9', offers: [{ client: other }] })
    expect(begun(machine).offers).toHaveLength(1)
  })
  test('that is fetched again follows the installer to its new address', () => {
    const again = nextState(installing, { type: 'answer-file', client: other, own: false }, 7000)
    expect(again?.state).toMatchObject({ state: 'installing', sinceMs: 5, installer: other })
    expect(again?.entry).toMatchObject({ kind: 'answers', client: other })
  })
})

describe('a report', () => {
  test.each<[Parameters<typeof says>[0], GuestState, Partial<GuestState>]>([
    ['progress', newState, { state: 'install', sinceMs: 0 }],
    ['progress', installing, { state: 'installing', sinceMs: 5 }],
    ['installing', newState, { state: 'installing', sinceMs: 1000 }],
    ['installing', installing, { state: 'installing', sinceMs: 5 }],
    ['installing', installed, { state: 'installed', sinceMs: 5 }],
    ['failed', newState, { state: 'failed', sinceMs: 1000, failure: 'why' }],
    ['failed', installing, { state: 'failed', sinceMs: 1000, failure: 'why' }],
    ['failed', { ...installing, state: 'failed' }, { state: 'failed', sinceMs: 5, failure: 'why' }],
    ['failed', installed, { state: 'installed', sinceMs: 5 }],
    ['installed', newState, { state: 'installed', sinceMs: 1000, installer: machine }],
    ['installed', { ...installed, state: 'local' }, { state: 'local', sinceMs: 5 }],
  ])('%s of %j gives %j, and a line with its words', (report, before, expected) => {
    const change = nextState(before, says(report, 'why'), 1000)
    expect(change?.state).toMatchObject(expected)
    if (expected.failure === undefined) expect(change?.state).not.toHaveProperty('failure')
    expect(change?.entry).toMatchObject({ kind: report, detail: 'why', install: before.install })
  })
  test('of the end keeps the address of the installer, and neither offers nor a failure', () => {
    const failed = stateAfter({ ...installing, installer: other }, offer, says('failed', 'why'))
    const { last, ...rest } = stateAfter(failed, says('installed'))
    expect(rest).toEqual({ state: 'installed', sinceMs: 1000, install: 2, installer: other })
    expect(last?.kind).toBe('installed')
  })
})

describe('a line of the history', () => {
  const said = stateAfter(installing, says('progress', 'half'))
  const later = (event: GuestEvent, ms: number) => nextState(said, event, 1000 + ms)

  test('that repeats the last one is not written for ten minutes, whichever way the clock went', () => {
    const tenMinutesMs = 10 * 60_000
    expect(later(says('progress', 'half'), tenMinutesMs - 1)).toBeUndefined()
    expect(later(says('progress', 'half'), -tenMinutesMs + 1)).toBeUndefined()
    expect(later(says('progress', 'half'), tenMinutesMs)?.entry.kind).toBe('progress')
    expect(later(says('progress', 'half'), -tenMinutesMs)?.entry.kind).toBe('progress')
  })
  test('of other words, or of another machine, is written', () => {
    expect(later(says('progress', 'all'), 1)).toBeDefined()
    expect(later({ ...says('progress', 'half'), client: other } as GuestEvent, 1)).toBeDefined()
  })
  test('that changes the state is written, even if it repeats the last one', () => {
    const armed = nextState(newState, { type: 'install-once' }, 1000)?.state
    expect(nextState(armed, { type: 'install-once' }, 2000)?.state.install).toBe(2)
  })
})
