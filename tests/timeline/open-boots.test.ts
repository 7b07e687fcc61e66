import { expect, test } from 'vitest'
import type { Boot } from '../../server/core/boots/boot.ts'
import type { Event } from '../../server/events/bus.ts'
import { factOf } from '../../server/timeline/facts.ts'
import { OpenBoots } from '../../server/timeline/open-boots.ts'
import { epochMs, kindsOf, recordingOf } from '../support/boots.ts'

/** How boots are found, joined and bounded. */

interface World {
  readonly open: OpenBoots
  readonly boots: Map<number, Boot>
  note(event: Event, atMs?: number): void
}

function world(most?: number): World {
  const boots = new Map<number, Boot>()
  const open = new OpenBoots({
    nextId: 1,
    onChange: (boot) => boots.set(boot.id, boot),
    onRemove: (id) => boots.delete(id),
    ...(most !== undefined && { most }),
  })
  let nowMs = epochMs
  return {
    open,
    boots,
    note(event, atMs) {
      nowMs = atMs ?? nowMs + 100
      const fact = factOf(event)
      if (fact) open.note(fact, nowMs)
    },
  }
}

const macOf = (n: number): string =>
  `52:54:00:${[n >> 16, (n >> 8) & 255, n & 255].map((each) => each.toString(16).padStart(2, '0')).join(':')}`
const addressOf = (n: number): string => `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`

const offered = (n: number, more: object = {}): Event => ({
  type: 'dhcp',
  step: 'offered',
  client: macOf(n),
  mac: macOf(n),
  xid: n,
  port: 67,
  firmware: 'uefi-x64',
  file: 'snponly.efi',
  ms: 1,
  ...more,
})
const served = (path: string, client: string, more: object = {}): Event => ({
  type: 'served',
  protocol: 'tftp',
  client,
  path,
  outcome: 'complete',
  bytes: 1000,
  ms: 5,
  ...more,
})
const configured = (n: number, guest?: string): Event =>
  served(`/boot/by/${macOf(n)}/ipxe`, addressOf(n), {
    protocol: 'http',
    decision: {
      kind: 'boot',
      summary: 'menu of 3 trees',
      facts: { macs: [macOf(n)] },
      localDisk: false,
      loader: 'ipxe',
      ...(guest !== undefined && { guest }),
    },
  })

test('100,000 MACs grow neither the boots nor the names, and close no boot of a guest', () => {
  const { open, boots, note } = world(200)
  note(offered(0xf0_0000, { guest: 'web01' }))
  for (let n = 1; n <= 100_000; n++) {
    note(offered(n))
    if (n % 1000 === 0) boots.clear() // what a store would have taken
  }
  expect(open.size).toBe(201)
  expect(open.names).toBeLessThan(500)
  boots.clear()
  note(served('/snponly.efi', '10.9.9.9'))
  note(configured(0xf0_0000, 'web01'))
  expect([...boots.values()].find(({ guest }) => guest === 'web01')?.id).toBe(1)
}, 120_000)

test('100,000 addresses that fetch a loader are bounded, too, and each name belongs to an open boot', () => {
  const { open, note } = world(200)
  for (let n = 1; n <= 100_000; n++) note(served('/snponly.efi', addressOf(n)))
  expect(open.size).toBe(200)
  expect(open.names).toBe(200)
}, 120_000)

test('a machine with many names keeps a handful of them', () => {
  const { open, boots, note } = world()
  note(offered(1, { guest: 'web01' }))
  for (let n = 2; n < 1000; n++) note(offered(n, { guest: 'web01', address: addressOf(n) }))
  expect(boots.size).toBe(1)
  expect(open.names).toBeLessThanOrEqual(1 + 4 + 4)
})

test('a loader whose address nobody knew becomes a part of the boot that names its machine', () => {
  const { boots, note } = world()
  note(offered(1))
  note(served('/snponly.efi', addressOf(1)))
  expect(boots.size).toBe(2)
  note(configured(1))
  expect(boots.size).toBe(1)
  expect([...boots.values()].map(kindsOf)).toEqual([
    ['dhcp-asked', 'dhcp-offered', 'loader', 'configuration'],
  ])
})

test('a file of a tree, a browser and a person on our own host begin no boot', () => {
  const { boots, note } = world()
  note(served('/trees/fedora-40/images/pxeboot/vmlinuz', '10.0.0.9', { protocol: 'http' }))
  note(
    served('/boot.ipxe', '10.0.0.9', {
      protocol: 'http',
      who: { protocol: 'http', address: '10.0.0.9', agent: 'Mozilla/5.0' },
    }),
  )
  note(
    served('/snponly.efi', '10.0.0.9', {
      protocol: 'http',
      who: { protocol: 'http', address: '10.0.0.9', agent: 'curl/8' },
    }),
  )
  const own = { protocol: 'http', address: '10.0.0.1', localAddress: '10.0.0.1' }
  note(served('/ks/web01', '10.0.0.1', { protocol: 'http', who: own }))
  note(served('/snponly.efi', '10.0.0.9', { question: true }))
  expect(boots.size).toBe(0)
})

test('an address that another machine has now is not the old boot', () => {
  const { boots, note } = world()
  note(configured(1, 'web01'))
  note(
    served(
      `/boot/by/${macOf(2)}/ipxe`,
      addressOf(1),
      configured(2, 'web02') as { decision: object } as object,
    ),
  )
  expect([...boots.values()].map(({ guest }) => guest)).toEqual(['web01', 'web02'])
})

test('the same packet again is a retry, and no other boot', () => {
  const { boots, note } = world()
  for (let times = 0; times < 4; times++) note(offered(1))
  expect(boots.size).toBe(1)
  expect(boots.get(1)?.steps[0]).toMatchObject({ kind: 'dhcp-asked', retries: 3 })
})

test('HEAD before GET and an aborted size probe are folded', () => {
  const { boots, note } = world()
  note(configured(1, 'web01'))
  const kernel = '/trees/x/images/pxeboot/vmlinuz'
  note(served(kernel, addressOf(1)))
  note(served(kernel, addressOf(1), { question: true, bytes: 0 }))
  note(served(kernel, addressOf(1), { outcome: 'aborted', bytes: 0, detail: 'client: TFTP Aborted' }))
  expect(boots.get(1)?.steps.at(-1)).toMatchObject({ kind: 'kernel', status: 'done', count: 1, folded: 2 })
})

test('a transfer that takes minutes is no silence', () => {
  const { boots, note, open } = world()
  note(configured(1, 'web01'), epochMs)
  note(served('/trees/x/vmlinuz', addressOf(1)), epochMs + 1000)
  const initrd = '/trees/x/initrd.img'
  note({ type: 'sending', protocol: 'tftp', client: addressOf(1), path: initrd, size: 100e6 }, epochMs + 2000)
  open.look(epochMs + 600_000)
  expect(boots.get(1)).toMatchObject({ state: 'running' })
  note(served(initrd, addressOf(1)), epochMs + 600_000)
  open.look(epochMs + 700_000)
  expect(boots.get(1)).toMatchObject({ state: 'stalled', reason: 'kernel-quiet' })
})

test('a slow machine is late by its own measure, which its last installation gave', () => {
  const { boots, note, open } = world()
  const install = (atMs: number): void => {
    note({ ...offered(1, { guest: 'web01' }), xid: atMs } as Event, atMs)
    note(configured(1, 'web01'), atMs + 1000)
    note(served('/trees/x/vmlinuz', addressOf(1)), atMs + 2000)
  }
  install(epochMs)
  // Four minutes in the kernel: twice and more what is usual for any machine.
  note(served('/ks/web01', addressOf(1)), epochMs + 242_000)
  note({ type: 'report', guest: 'web01', client: addressOf(1), state: 'installed' }, epochMs + 300_000)
  install(epochMs + 400_000)
  open.look(epochMs + 402_000 + 300_000)
  expect(boots.get(2)).toMatchObject({ state: 'running', usualMs: 240_000 })
  open.look(epochMs + 402_000 + 361_000)
  expect(boots.get(2)).toMatchObject({ state: 'stalled', reason: 'kernel-quiet' })
})

test('a boot in which nothing happens is closed in the end, and its names are free', () => {
  const { open, boots } = world()
  const { note } = { note: (event: Event) => open.note(factOf(event) ?? never(), epochMs) }
  for (const { event } of recordingOf('kernel-panic').events.filter(({ event }) => factOf(event))) note(event)
  open.look(epochMs + 3 * 3_600_000)
  expect(boots.get(1)).toMatchObject({ state: 'stalled', endMs: epochMs + 3 * 3_600_000 })
  expect([open.size, open.names]).toEqual([0, 0])
})

function never(): never {
  throw new Error('no fact')
}
