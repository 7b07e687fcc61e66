import { describe, expect, test } from 'vitest'
import { selectForGuest } from '../../../server/core/boot/plan-boot.ts'
import { type GuestState, type Offer, treeSettingText } from '../../../server/core/guest/state.ts'
import { createTreeIndex } from '../../../server/core/select/select.ts'
import { makeGuest, makeTree } from '../../support/boot-inputs.ts'
import { stating } from '../../support/stating.ts'

const release = (version: number) => ({ id: 'f40', version, folder: `/trees/.treeboot/f40/${version}` })
const now = makeTree('f40', { version: '40.2', release: release(2) })
const before = makeTree('f40', { version: '40.1', release: release(1) })
const other = makeTree('f41')
const guest = makeGuest('web01', { tree: other })
const machine = '10.0.0.7'

function stateWith(state: GuestState['state'], offer: Partial<Offer> = {}): GuestState {
  const { id, version } = release(1)
  const bound = {
    tree: 'f40',
    release: { id, version },
    treeSetting: treeSettingText(guest),
    client: machine,
    firstMs: 1,
  }
  return { state, sinceMs: 1, install: 0, offers: [{ ...bound, ...offer }] }
}

describe('the tree of a guest with an offer', () => {
  test.each(['install', 'installing'] as const)(
    'in state %s is the offered one, in the offered version',
    (state) => {
      const trees = createTreeIndex([now, other], [before])
      expect(selectForGuest(guest, trees, stateWith(state), machine)).toEqual({
        found: true,
        tree: before,
        others: [],
      })
    },
  )
  test('is the current version when the offered one was deleted', () => {
    const trees = createTreeIndex([now, other])
    expect(selectForGuest(guest, trees, stateWith('installing'), machine)).toMatchObject({ tree: now })
  })
  test('is what its settings ask for when the offered one is gone, but only until the installation begins', () => {
    const trees = createTreeIndex([other])
    expect(selectForGuest(guest, trees, stateWith('install'), machine)).toMatchObject({ tree: other })
    expect(selectForGuest(guest, trees, stateWith('installing'), machine)).toEqual({
      found: false,
      why: expect.stringMatching(stating('f40', 'gone')),
      nearest: [],
    })
  })
  test('is refused with its state while it is not ready', () => {
    const trees = createTreeIndex([{ ...now, state: 'verifying' }, other])
    expect(selectForGuest(guest, trees, stateWith('installing'), machine)).toMatchObject({
      found: false,
      why: expect.stringMatching(stating('f40', 'verifying')),
    })
  })
  test('is what its settings ask for after the installation, and when the setting was changed before it', () => {
    const trees = createTreeIndex([now, other], [before])
    expect(selectForGuest(guest, trees, stateWith('installed'), machine)).toMatchObject({ tree: other })
    const changed = stateWith('install', { treeSetting: '"another"' })
    expect(selectForGuest(guest, trees, changed, machine)).toMatchObject({ tree: other })
  })
})
