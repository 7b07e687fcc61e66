import { expect, test } from 'vitest'
import type { Snapshot } from '../../server/catalog/snapshot.ts'
import type { Guest } from '../../server/core/guest/guest.ts'
import { createGuestIndex } from '../../server/core/guest/match.ts'
import type { Selected } from '../../server/core/guest/selectors.ts'
import { newState } from '../../server/core/guest/state.ts'
import { AutoGuests } from '../../server/machines/auto-guests.ts'

const mac = '52:54:00:00:00:01'
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3731'
const selector = {
  profile: 'lab',
  auto: 'install',
  alternatives: [{ macPrefix: '525400' }],
  definedAt: 'x:1',
} as const
const selected: Selected = { kind: 'profile', selector, by: 'mac-prefix 52:54:00', waits: new Set() }

/** What `AutoGuests` asks, of a machine that nobody knows. */
const nobody = {
  stateOf: () => newState,
  states: new Map(),
  whyNotWritable: () => undefined,
  uuidOf: () => undefined,
  fresh: async () => undefined,
  recordedOf: async () => ({ names: [] }),
  addRecord: async () => undefined,
  doubt: () => undefined,
  seenMachines: async () => [],
}

/** What is said of a guest that a profile made, by what the DHCP service heard and what the kernel knows. */
function whyNot(
  heard: string | undefined,
  neighbour: string | undefined,
  shown: { readonly uuid?: string; readonly serial?: string } = { uuid },
): Promise<string | undefined> {
  const guest = {
    name: 'auto-525400000001',
    macs: [mac],
    shown: { uuid, serial: 'abc' },
    profiles: ['lab'],
    settings: {},
    definedAt: 'guests.d/auto-525400000001.yaml',
  } as unknown as Guest
  const guests = createGuestIndex([guest])
  const auto = new AutoGuests({
    snapshot: () => ({ guests, selectors: [selector] }) as unknown as Snapshot,
    machines: { ...nobody, uuidOf: () => heard },
    macAt: async () => neighbour,
    whyNotInForce: () => undefined,
    whyReadOnly: async () => undefined,
    make: async () => undefined,
  })
  const who = { protocol: 'http', address: '10.0.0.7' } as const
  return auto.whyNotConfirmed({ guest, selected, shown: { macs: [mac], ...shown }, who })
}

test('a DHCP request that names a MAC proves nothing of a machine that has another one', async () => {
  expect(await whyNot(uuid, undefined)).toBeUndefined()
  expect(await whyNot(undefined, mac)).toBeUndefined()
  expect(await whyNot(uuid, '52-54-00-00-00-01')).toBeUndefined()
  expect(await whyNot(uuid, '00:1b:21:00:00:01')).toContain('10.0.0.7 has the MAC 00:1b:21:00:00:01')
  expect(await whyNot('11111111-2222-3333-4444-555555555555', mac)).toContain('has shown another UUID')
  expect(await whyNot(undefined, undefined)).toContain('nothing proves')
})

test('a machine is installed that shows the UUID or the serial number of which it was made a guest', async () => {
  expect(await whyNot(undefined, mac, { serial: 'abc' })).toBeUndefined()
  // PXELINUX shows the UUID in the other byte order.
  expect(await whyNot(undefined, mac, { uuid: '44454c4c-4200-1035-8052-b4c04f4a3731' })).toBeUndefined()
  expect(await whyNot(undefined, mac, {})).toContain('neither the UUID nor the serial number')
})

test('a store that cannot be read stops one question, and not the next', async () => {
  let asked = 0
  const profile = { name: 'lab', inherits: [], settings: {} }
  const snapshot = {
    guests: createGuestIndex([]),
    selectors: [selector],
    profiles: new Map([['lab', profile]]),
  }
  const auto = new AutoGuests({
    snapshot: () => snapshot as unknown as Snapshot,
    machines: {
      ...nobody,
      stateOf: () => undefined,
      async recordedOf() {
        if (asked++ === 0) throw new Error('the store is busy')
        return { names: [] }
      },
    },
    macAt: async () => mac,
    whyNotInForce: () => undefined,
    whyReadOnly: async () => undefined,
    make: async () => undefined,
    clock: () => 0,
  })
  const who = { protocol: 'http', address: '10.0.0.7' } as const
  const consider = () => auto.consider({ selected, shown: { macs: [mac], uuid }, who })
  expect(await consider()).toEqual({ why: 'the store is busy' })
  expect(await consider()).toMatchObject({ guest: { name: 'auto-525400000001' } })
  // What the store said is kept for a moment.
  await consider()
  expect(asked).toBe(2)
})
