import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Guest, GuestFacts } from '../../../server/core/guest/guest.ts'
import { resolveSettings } from '../../../server/core/guest/inherit.ts'
import { createGuestIndex } from '../../../server/core/guest/match.ts'

const { settings } = resolveSettings([])
const make = (name: string, identity: Partial<Guest>): Guest => ({
  name,
  macs: [],
  profiles: [],
  settings,
  definedAt: 'config.yaml:1',
  ...identity,
})

const index = createGuestIndex([
  make('by-mac', { macs: ['52:54:00:aa:bb:01', '52:54:00:aa:bb:02'] }),
  make('by-uuid', { uuid: '4c4c4544-0042-3510-8052-b4c04f4a3732' }),
  make('by-serial', { serial: 'XYZ-1' }),
  make('by-ip', { ip: '10.0.0.7' }),
  make('constructor', {}),
])

describe('a machine is recognised', () => {
  test.each<[GuestFacts, string]>([
    [{ name: 'by-mac' }, 'name by-mac'],
    [{ macs: ['junk', '01-52-54-00-AA-BB-02'] }, 'mac 52:54:00:aa:bb:02'],
    [{ uuid: '4C4C4544-0042-3510-8052-B4C04F4A3732' }, 'uuid 4c4c4544-0042-3510-8052-b4c04f4a3732'],
    [
      { uuid: '44454c4c-4200-1035-8052-b4c04f4a3732' },
      'uuid 4c4c4544-0042-3510-8052-b4c04f4a3732 (byte-swapped)',
    ],
    [{ serial: ' xyz-1' }, 'serial xyz-1'],
    [{ ip: '::ffff:10.0.0.7' }, 'ip 10.0.0.7'],
    [{ name: 'nobody', uuid: 'Not Settable', macs: [], ip: '10.0.0.7' }, 'ip 10.0.0.7'],
  ])('%j %s', (facts, by) => expect(index.match(facts)?.by).toBe(by))

  test('by the strongest fact when several facts belong to different guests', () => {
    const facts = {
      name: 'constructor',
      uuid: '4c4c4544-0042-3510-8052-b4c04f4a3732',
      serial: 'XYZ-1',
      macs: ['525400aabb01'],
      ip: '10.0.0.7',
    }
    const order: (string | undefined)[] = []
    const left: GuestFacts = { ...facts }
    for (const key of ['name', 'uuid', 'serial', 'macs', 'ip'] as const) {
      order.push(index.match(left)?.guest.name)
      delete (left as Record<string, unknown>)[key]
    }
    expect(order).toEqual(['constructor', 'by-uuid', 'by-serial', 'by-mac', 'by-ip'])
    expect(index.match(left)).toBeUndefined()
  })
})

// A stranger with the same placeholder would be installed as that guest, and its disk wiped.
test('a placeholder identifies nobody, also where a guest is defined by it', () => {
  const ami = '03000200-0400-0500-0006-000700080009'
  const shared = createGuestIndex([
    make('by-placeholders', { serial: 'To be filled by O.E.M.', uuid: ami }),
    make('by-mac', { macs: ['52:54:00:dd:00:02'] }),
  ])
  const facts = { serial: 'to be filled by O.E.M.', uuid: '00020003-0004-0005-0006-000700080009' }
  expect(shared.match({ ...facts, macs: ['52:54:00:dd:00:02'] })?.by).toBe('mac 52:54:00:dd:00:02')
  expect(shared.match({ ...facts, macs: ['52:54:00:dd:00:99'] })).toBeUndefined()
  expect(shared.match({ uuid: ami })).toBeUndefined()
})

describe('the address of a guest', () => {
  const [mac, serial] = ['52:54:00:aa:bb:09', 'XYZ-9']
  const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3799'
  const shared = createGuestIndex([
    make('all', { macs: [mac], uuid, serial, ip: '10.0.0.9' }),
    make('alone', { ip: '10.0.0.8' }),
  ])
  const other = { macs: ['52:54:00:aa:bb:99'], uuid: uuid.replace('99', '77'), serial: 'ABC' }

  test.each([{ macs: other.macs }, { uuid: other.uuid }, { serial: other.serial }])(
    'identifies no machine that shows %j, which that guest has not',
    (facts) => {
      expect(shared.match({ ...facts, ip: '10.0.0.9' })).toBeUndefined()
      expect(shared.match({ ...facts, ip: '10.0.0.8' })).toMatchObject({
        guest: { name: 'alone' },
        isWeak: false,
      })
    },
  )
  test.each([{}, { serial: 'Default string' }, { macs: ['junk'] }])(
    'identifies it weakly where the machine shows %j',
    (facts) => {
      expect(shared.match({ ...facts, ip: '10.0.0.9' })).toMatchObject({ by: 'ip 10.0.0.9', isWeak: true })
      expect(shared.match({ ...facts, macs: [mac], ip: '10.0.0.8' })).toMatchObject({ isWeak: false })
    },
  )
})

test('names are only names', () => {
  expect(index.byName('constructor')?.name).toBe('constructor')
  expect(index.byName('toString')).toBeUndefined()
  expect(index.byName('__proto__')).toBeUndefined()
})

test('odd facts neither throw nor match a guest by guessing', () => {
  const facts = fc.record(
    {
      name: fc.string(),
      macs: fc.array(fc.string()),
      uuid: fc.string(),
      serial: fc.string(),
      ip: fc.string(),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    // fast-check often generates `constructor`, and one guest has that name.
    fc.property(facts, (given) => given.name === 'constructor' || index.match(given) === undefined),
  )
})
