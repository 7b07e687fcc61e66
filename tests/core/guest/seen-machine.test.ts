import { expect, test } from 'vitest'
import { machineOf, mergeSeen } from '../../../server/core/guest/seen-machine.ts'

const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'

test('facts of a machine are read in any spelling, and cut where they are too long', () => {
  expect(
    machineOf(
      {
        macs: ['nonsense', '52-54-00-AA-BB-01'],
        uuid: uuid.toUpperCase(),
        serial: ' S1 ',
        vendor: `a\n${'b'.repeat(999)}`,
        address: '::ffff:10.0.0.7',
      },
      5,
    ),
  ).toEqual({
    id: '52:54:00:aa:bb:01',
    mac: '52:54:00:aa:bb:01',
    uuid,
    serial: 's1',
    vendor: `a ${'b'.repeat(126)}`, // 128 characters in all
    address: '10.0.0.7',
    firstMs: 5,
    lastMs: 5,
    count: 1,
  })
})

test('an address or a serial number alone does not identify a machine', () => {
  expect(machineOf({ address: '10.0.0.7', serial: 'S1', macs: ['x'] }, 5)).toBeUndefined()
})

test('two observations of one machine are merged, and the later one wins', () => {
  const [early, late] = [
    machineOf({ uuid, vendor: 'old', firmware: 'bios' }, 5),
    machineOf({ macs: ['525400aabb01'], uuid, vendor: 'new' }, 9),
  ]
  if (!early || !late) throw new Error('both are machines')
  expect(mergeSeen(early, late)).toEqual({
    id: '52:54:00:aa:bb:01',
    mac: '52:54:00:aa:bb:01',
    uuid,
    vendor: 'new',
    firmware: 'bios',
    firstMs: 5,
    lastMs: 9,
    count: 2,
  })
})
