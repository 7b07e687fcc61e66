import { expect, test } from 'vitest'
import { UnknownMachines } from '../../server/machines/unknown.ts'
import { memoryStore } from '../../server/store/memory/store.ts'
import { unknownMachinesKept } from '../../server/store/store.ts'

const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'
const mac = '52:54:00:aa:bb:01'
const address = '10.0.0.7'

function made(store = memoryStore()) {
  const troubles: unknown[] = []
  const time = { ms: 1_000_000 }
  const inbox = new UnknownMachines({
    store,
    clock: () => time.ms,
    onTrouble: (error) => troubles.push(error),
  })
  return { inbox, store, troubles, time }
}

test('a UUID and a MAC from one address within a minute are one machine', async () => {
  const { inbox, store, time } = made()
  inbox.seen({ uuid, address })
  await inbox.flush()
  expect(await store.unknownMachines()).toMatchObject([{ id: uuid }])
  time.ms += 2_000
  inbox.seen({ macs: [mac], address })
  // PXELINUX asks for `default` last, which names no machine.
  inbox.seen({ address })
  await inbox.flush()
  expect(await store.unknownMachines()).toMatchObject([{ id: mac, mac, uuid, address }])
})

test('an address that another machine has got meanwhile joins nothing', async () => {
  const { inbox, store, time } = made()
  inbox.seen({ uuid, address })
  time.ms += 61_000
  inbox.seen({ macs: [mac], address })
  inbox.seen({ macs: ['525400aabb02'], address })
  await inbox.flush()
  const machines = await store.unknownMachines()
  expect(machines.map(({ id }) => id).sort()).toEqual([uuid, mac, '52:54:00:aa:bb:02'].sort())
  expect(machines.filter((machine) => machine.mac)).not.toContainEqual(expect.objectContaining({ uuid }))
})

test('a scan of a network does not fill the table', async () => {
  const { inbox, store } = made()
  for (let n = 0; n < 5_000; n++)
    inbox.seen({ macs: [(0x525400000000 + n).toString(16)], address: `10.1.${n >> 8}.${n & 255}` })
  await inbox.flush()
  expect(await store.unknownMachines()).toHaveLength(unknownMachinesKept)
})

test('a store that fails is told of and stops nothing', async () => {
  const broken = { ...memoryStore(), addUnknownMachines: () => Promise.reject(new Error('disk is full')) }
  const { inbox, troubles } = made(broken)
  inbox.seen({ macs: [mac] })
  await inbox.flush()
  expect(troubles).toMatchObject([{ message: 'disk is full' }])
})
