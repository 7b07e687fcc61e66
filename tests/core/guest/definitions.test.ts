import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type DefinitionChange,
  definitionChanges,
  type GuestRecord,
  guestsToHold,
  isHeldWhenRenamed,
} from '../../../server/core/guest/definitions.ts'
import type { Guest } from '../../../server/core/guest/guest.ts'
import { identityOf, withFormer } from '../../../server/core/guest/identity.ts'
import { createGuestIndex } from '../../../server/core/guest/match.ts'
import {
  bootsInstaller,
  type GuestState,
  type InstallState,
  newState,
} from '../../../server/core/guest/state.ts'
import { makeGuest } from '../../support/boot-inputs.ts'

const atMs = 1000
const mac = (n: number): string => `52:54:00:00:00:${n.toString(16).padStart(2, '0')}`
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3732'
const swapped = '44454c4c-4200-1035-8052-b4c04f4a3732'
const installed: GuestState = { state: 'installed', sinceMs: 5, install: 3 }

const record = (guest: Guest, state: GuestState = installed): [string, GuestRecord] => [
  guest.name,
  { state, identity: identityOf(guest) },
]
const changesOf = (guests: Guest[], records: [string, GuestRecord][], doubt?: 'old store') =>
  definitionChanges({ guests, records: new Map(records), atMs, ...(doubt && { doubt }) })

describe('a guest that is new in the configuration', () => {
  const web01 = makeGuest('web01', { macs: [mac(1)] })

  test('is recorded, to be installed', () => {
    const identity = { macs: [mac(1)] }
    expect(changesOf([web01], [])).toEqual([{ kind: 'add', guest: 'web01', identity, state: newState }])
    expect(changesOf([web01], [record(web01)])).toEqual([])
  })
  test('is held while the store is in doubt', () => {
    expect(changesOf([web01], [], 'old store')).toMatchObject([
      { kind: 'add', state: { state: 'held', hold: 'old store', sinceMs: atMs } },
    ])
  })
  test.each([
    ['a MAC', makeGuest('old', { macs: [mac(7), mac(1)] }), web01],
    ['a UUID', makeGuest('old', { macs: [], uuid }), makeGuest('web01', { macs: [], uuid })],
    [
      'a UUID in the other byte order',
      makeGuest('old', { macs: [], uuid }),
      makeGuest('web01', { macs: [], uuid: swapped }),
    ],
    [
      'a serial number',
      makeGuest('old', { macs: [], serial: 'AB 12' }),
      makeGuest('web01', { macs: [], serial: 'ab 12' }),
    ],
    [
      'a serial number that many boards share, beside its address',
      makeGuest('old', { macs: [], serial: 'Default string', ip: '10.0.0.5' }),
      makeGuest('web01', { macs: [], serial: 'default string', ip: '10.0.0.5' }),
    ],
    [
      'its address alone',
      makeGuest('old', { macs: [], ip: '10.0.0.5' }),
      makeGuest('web01', { macs: [], ip: '10.0.0.5' }),
    ],
    [
      'the address of one that had nothing else',
      makeGuest('old', { macs: [], ip: '10.0.0.5' }),
      makeGuest('web01', { macs: [mac(1)], ip: '10.0.0.5' }),
    ],
    [
      'its address, which one with a MAC had',
      makeGuest('old', { macs: [mac(1)], ip: '10.0.0.5' }),
      makeGuest('web01', { macs: [], ip: '10.0.0.5' }),
    ],
  ])(
    'and whose machine is known by %s takes over state and story, if the old name is gone',
    (_, old, guest) => {
      expect(changesOf([guest], [record(old)])).toEqual([
        {
          kind: 'rename',
          from: 'old',
          to: 'web01',
          identity: withFormer(identityOf(guest), identityOf(old)),
        },
      ])
      const other = makeGuest('old', { macs: [mac(9)] })
      expect(changesOf([other, guest], [record(old)])).toContainEqual(
        expect.objectContaining({
          kind: 'add',
          guest: 'web01',
          state: expect.objectContaining({ hold: 'renamed' }),
        }),
      )
    },
  )
  test('and that has the address of one whose MAC is another is new', () => {
    const old = makeGuest('old', { macs: [mac(1)], ip: '10.0.0.5' })
    const guest = makeGuest('web01', { macs: [mac(2)], ip: '10.0.0.5' })
    expect(changesOf([guest], [record(old)])).toMatchObject([{ kind: 'add', state: newState }])
  })
  test('and that joins the machines of two records is held', () => {
    const both = makeGuest('both', { macs: [mac(1), mac(2)] })
    const records = [record(makeGuest('a', { macs: [mac(1)] })), record(makeGuest('b', { macs: [mac(2)] }))]
    expect(changesOf([both], records)).toMatchObject([{ kind: 'add', state: { hold: 'renamed' } }])
  })
})

describe('a refused definition, of which only a part was read', () => {
  const refused = makeGuest('web01', { macs: [], refused: 'a mistake' })
  test('is not recorded, so that the record of its machine can follow when it is right', () => {
    const old = makeGuest('old', { macs: [mac(1)] })
    expect(changesOf([old, refused], [record(old)])).toEqual([])
    const right = makeGuest('web01', { macs: [mac(1)] })
    expect(changesOf([right], [record(old)])).toMatchObject([{ kind: 'rename', from: 'old', to: 'web01' }])
  })
  test('is held while the store is in doubt, which may be over when it is right', () => {
    expect(changesOf([refused], [], 'old store')).toMatchObject([
      { kind: 'add', guest: 'web01', state: { hold: 'old store' } },
    ])
  })
})

test.each([
  ['known by a MAC, to a new name', makeGuest('a', { macs: [mac(1)] }), [], false],
  ['known by nothing', makeGuest('a', { macs: [] }), [], true],
  ['known by its address alone', makeGuest('a', { macs: [], ip: '10.0.0.5' }), [], false],
  [
    'to the name of one that would install',
    makeGuest('a', { macs: [mac(1)] }),
    [record(makeGuest('z', {}), newState)],
    true,
  ],
  ['to the name of one that is installed', makeGuest('a', { macs: [] }), [record(makeGuest('z', {}))], false],
  [
    'to the name of one that failed and may retry',
    makeGuest('a', { macs: [mac(1)] }),
    [record(makeGuest('z', {}), { ...newState, state: 'failed' })],
    true,
  ],
] satisfies [string, Guest, [string, GuestRecord][], boolean][])(
  'whether a guest is held when it gets another name: %s',
  (_, guest, records, isHeld) => {
    expect(isHeldWhenRenamed(guest, 'z', new Map(records))).toBe(isHeld)
  },
)

test('an armed guest that gets the MAC of another machine is held', () => {
  const armed = makeGuest('spare', { macs: [mac(1)] })
  const records = [
    record(makeGuest('spare', { macs: [mac(5)] }), newState),
    record(makeGuest('db', { macs: [mac(1)] })),
  ]
  expect(changesOf([armed], records)).toMatchObject([
    { kind: 'identity', guest: 'spare' },
    { kind: 'hold', guest: 'spare', reason: 'renamed' },
  ])
})

describe('a MAC that an installed guest gave up', () => {
  const before = makeGuest('web01', { macs: [mac(1)] })
  const now = makeGuest('web01', { macs: [mac(3)] })
  const later = makeGuest('web02', { macs: [mac(1)] })
  /** The records after the guest got another MAC, as a store gives them back. */
  const recordsAfter = (state: GuestState): [string, GuestRecord][] => {
    const records = new Map([record(before, state)])
    for (const change of changesOf([now], [...records])) apply(records, change)
    return [...records]
  }

  test('holds a new guest that gets it later, and changes the first one no further', () => {
    const records = recordsAfter(installed)
    expect(changesOf([now, later], records)).toMatchObject([
      { kind: 'add', guest: 'web02', identity: { macs: [mac(1)] }, state: { hold: 'renamed' } },
    ])
    expect(changesOf([later], records)).toMatchObject([{ kind: 'add', state: { hold: 'renamed' } }])
    expect(changesOf([before], records)).toEqual([
      {
        kind: 'identity',
        guest: 'web01',
        identity: { macs: [mac(1)], former: [`mac ${mac(3)}`] },
      },
    ])
  })
  test('holds a guest that is to be installed and gets it later', () => {
    const spare = record(makeGuest('web02', { macs: [mac(2)] }), newState)
    expect(changesOf([now, later], [...recordsAfter(installed), spare])).toMatchObject([
      { kind: 'identity', guest: 'web02' },
      { kind: 'hold', guest: 'web02', reason: 'renamed' },
    ])
  })
  test('is free when nothing was ever installed by that name', () => {
    expect(changesOf([now, later], recordsAfter(newState))).toMatchObject([{ kind: 'add', state: newState }])
  })
  test('is forgotten at last', () => {
    let identity = identityOf(before)
    for (let n = 2; n <= 100; n++) identity = withFormer({ macs: [mac(n)] }, identity)
    expect([identity.former?.length, identity.former?.at(-1)]).toEqual([64, `mac ${mac(99)}`])
  })
})

test('in doubt everything is held that would be installed, and a guest without definition as if it retried', () => {
  const states: InstallState[] = ['install', 'installing', 'failed', 'installed', 'local', 'held']
  const records = new Map(states.map((state) => [state, { state: { ...installed, state } }]))
  expect(guestsToHold(records, () => false)).toEqual(['install'])
  expect(guestsToHold(records, () => undefined)).toEqual(['install', 'installing', 'failed'])
})

test('no change of definitions brings a recorded machine to its installer', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd')
  const definitions = fc
    .uniqueArray(
      fc.record({
        name,
        macs: fc.uniqueArray(fc.nat(5), { maxLength: 3 }),
        address: fc.option(fc.nat(5), { nil: undefined }),
      }),
      { selector: (each) => each.name },
    )
    .map((all) => withoutShared(all))
  fc.assert(
    fc.property(fc.array(definitions, { minLength: 2, maxLength: 6 }), (edits) => {
      const lab = new Lab()
      for (const guests of edits) lab.edit(guests)
    }),
  )
})

/**
 * Machines, each with a MAC and an address, that are installed as soon as a guest that is theirs may be installed. The
 * address of each is known by its installation. Its MAC is not, where its guest had none.
 */
class Lab {
  readonly #records = new Map<string, GuestRecord>()
  /** By what each installed machine was a guest. */
  readonly #used = new Map<number, 'mac' | 'ip'>()

  edit(guests: readonly Guest[]): void {
    for (const change of definitionChanges({ guests, records: this.#records, atMs }))
      apply(this.#records, change)
    const index = createGuestIndex(guests)
    for (const n of machines) {
      const match = index.match({ macs: [mac(n)], ip: address(n) })
      if (match) this.#boot(n, match.guest.name, match.by.startsWith('mac') ? 'mac' : 'ip')
    }
  }

  #boot(machine: number, name: string, by: 'mac' | 'ip'): void {
    const { state, identity } = this.#records.get(name) ?? { state: newState, identity: { macs: [] } }
    if (!bootsInstaller(state.state, false)) return
    const before = this.#used.get(machine)
    expect(before === undefined || (before === 'ip' && by === 'mac')).toBe(true)
    this.#used.set(machine, by === 'mac' ? by : (before ?? by))
    this.#records.set(name, { identity, state: { ...installed, installer: address(machine) } })
  }
}

const machines = [0, 1, 2, 3, 4, 5]
const address = (n: number): string => `10.0.0.${n}`

function withoutShared(
  all: readonly { name: string; macs: number[]; address: number | undefined }[],
): Guest[] {
  const taken = new Set<number>()
  const addresses = new Set<number | undefined>([undefined])
  return all.map(({ name, macs, address: n }) => {
    const own = macs.filter((each) => !taken.has(each))
    for (const each of own) taken.add(each)
    const ip = n === undefined || addresses.has(n) ? {} : { ip: address(n) }
    addresses.add(n)
    return makeGuest(name, { macs: own.map(mac), ...ip })
  })
}

function apply(records: Map<string, GuestRecord>, change: DefinitionChange): void {
  if (change.kind === 'add') records.set(change.guest, { state: change.state, identity: change.identity })
  else if (change.kind === 'rename') {
    const state = records.get(change.from)?.state ?? newState
    records.delete(change.from)
    records.set(change.to, { state, identity: change.identity })
  } else {
    const { state, identity } = records.get(change.guest) ?? { state: newState, identity: { macs: [] } }
    if (change.kind === 'identity') records.set(change.guest, { state, identity: change.identity })
    else records.set(change.guest, { state: { ...state, state: 'held', hold: change.reason }, identity })
  }
}
