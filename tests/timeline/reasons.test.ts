import { expect, test } from 'vitest'
import { type ReasonId, reasonIds, reasonNamed } from '../../server/core/boots/reasons.ts'
import type { Event } from '../../server/events/bus.ts'
import {
  before,
  changed,
  followedBy,
  type Recording,
  recordingOf,
  replay,
  without,
} from '../support/boots.ts'
import { expectGoldenPart } from '../support/golden.ts'

/**
 * Each reason on the packets and requests of a real boot: as they were recorded, cut off where the machine was switched off,
 * or with the reply that a broken server gives.
 */

type Served = Extract<Event, { type: 'served' }>
type Dhcp = Extract<Event, { type: 'dhcp' }>

const served =
  (part: string) =>
  (event: Event): event is Served =>
    event.type === 'served' && event.path.includes(part)
const isDhcp = (event: Event): event is Dhcp => event.type === 'dhcp'
const isBefore =
  (...parts: readonly string[]) =>
  (event: Event): boolean =>
    ('path' in event && parts.some((part) => event.path.includes(part))) || event.type === 'report'

const minutes = (count: number): number => 60_000 * count
const proxyIpxe = recordingOf('proxy-bios-ipxe')
const proxyUefi = recordingOf('proxy-uefi-ipxe')
const pxelinux = recordingOf('bios-pxelinux')
const signed = recordingOf('uefi-shim-grub')

/** The first event that fits, as a template for more. */
function first<T extends Event>({ events }: Recording, fits: (event: Event) => event is T): T {
  const found = events.map(({ event }) => event).find(fits)
  if (!found) throw new Error('no event of the recording fits')
  return found
}

/** The file as if it were not there. */
const notFound = (recording: Recording, part: string): Recording =>
  changed(recording, (event) => (served(part)(event) ? { ...missing(event), path: event.path } : event))

function missing({ protocol, client, path, who, ms }: Served): Served {
  return {
    type: 'served',
    protocol,
    client,
    path,
    ms,
    outcome: 'failed',
    kind: 'not-found',
    bytes: 0,
    ...(who && { who }),
  }
}

const askedAnew = (recording: Recording): Recording =>
  followedBy(recording, [{ ...first(proxyIpxe, isDhcp), xid: 77 }], 30_000)
const kernelOnly = before(proxyIpxe, isBefore('/ks/', 'install.img'))
const stage2 = first(proxyIpxe, served('install.img'))
const dhcpOnly = (recording: Recording, ...steps: readonly Dhcp['step'][]): Recording => ({
  ...recording,
  events: recording.events
    .filter(({ event }) => isDhcp(event) && steps.includes(event.step))
    .slice(0, steps.length),
})
const loaderOnly = before(proxyUefi, isBefore('boot.ipxe'))

const cases: Readonly<Record<ReasonId, readonly [recording: Recording, quietMs: number]>> = {
  'installer-failed': [
    changed(proxyIpxe, (event) =>
      event.type === 'report' && event.state === 'installed'
        ? { ...event, state: 'failed', detail: 'no disk of 20 GB' }
        : event,
    ),
    0,
  ],
  'no-offer': [
    changed(dhcpOnly(proxyIpxe, 'offered'), (event) => {
      if (!isDhcp(event)) return event
      const { file: _file, firmware: _firmware, ...rest } = event
      return { ...rest, step: 'silent', detail: 'no loader for uefi-arm64 is there' }
    }),
    20_000,
  ],
  'loader-missing': [
    {
      ...signed,
      events: notFound(signed, 'shimx64.efi')
        .events.filter(({ event }) => served('shimx64')(event))
        .slice(0, 1),
    },
    30_000,
  ],
  'second-loader-missing': [
    notFound(
      before(signed, (event) => 'path' in event && /grub\/|grub\.cfg|vmlinuz/.test(event.path)),
      'grubx64.efi',
    ),
    40_000,
  ],
  'large-packets-lost': [
    followedBy(dhcpOnly(proxyUefi, 'offered', 'leased'), [
      {
        ...missing(first(proxyUefi, served('snponly.efi'))),
        outcome: 'aborted',
        kind: 'unavailable',
        silent: true,
        blksize: 1468,
      },
    ]),
    minutes(1),
  ],
  'same-file-again': [
    followedBy(
      loaderOnly,
      Array.from({ length: 4 }, () => first(proxyUefi, served('snponly.efi'))),
    ),
    minutes(1),
  ],
  'kernel-missing': [notFound(before(pxelinux, isBefore('initrd.img')), 'vmlinuz'), 10_000],
  'initrd-missing': [notFound(before(pxelinux, isBefore('/ks/', 'install.img')), 'initrd.img'), 10_000],
  'initrd-broken-off': [
    changed(before(pxelinux, isBefore('/ks/', 'install.img')), (event) =>
      served('initrd.img')(event) ? { ...event, outcome: 'aborted', bytes: 700_000 } : event,
    ),
    minutes(1),
  ],
  'answer-file-failed': [
    changed(before(proxyIpxe, isBefore('install.img', 'Packages')), (event) =>
      served('/ks/')(event)
        ? {
            ...event,
            outcome: 'failed',
            kind: 'invalid-data',
            detail: 'small.ks:3: root_password is not set',
            bytes: 0,
          }
        : event,
    ),
    0,
  ],
  'answer-file-missing': [
    notFound(before(proxyIpxe, isBefore('install.img', 'Packages')), '/ks/'),
    minutes(1),
  ],
  'restarted-after-kernel': [askedAnew(kernelOnly), 0],
  'restarted-before-end': [askedAnew(before(proxyIpxe, (event) => event.type === 'report')), 0],
  'stage2-missing': [recordingOf('stage2-missing'), 20_000],
  'image-too-large': [
    followedBy(kernelOnly, [
      { ...stage2, path: '/trees/ubuntu-24.04.1-live-server-amd64.iso', outcome: 'aborted', bytes: 2 ** 30 },
    ]),
    minutes(4),
  ],
  'packages-missing': [notFound(before(proxyIpxe, isBefore('p3.rpm')), 'p2.rpm'), minutes(3)],
  'plan-refused': [
    changed(before(proxyIpxe, isBefore('vmlinuz')), (event) => {
      if (!served('/boot/by/')(event) || event.decision?.kind !== 'boot') return event
      const { offer: _offer, ...decision } = event.decision
      return { ...event, decision: { ...decision, summary: 'refuse: no tree for web01' } }
    }),
    0,
  ],
  'other-server': [dhcpOnly(proxyUefi, 'offered', 'leased'), minutes(2)],
  'no-address': [
    followedBy(
      dhcpOnly(proxyUefi, 'offered'),
      [1, 2].map((xid) => ({ ...first(proxyUefi, isDhcp), xid })),
      10_000,
    ),
    minutes(2),
  ],
  'offer-not-taken': [dhcpOnly(proxyUefi, 'offered'), minutes(2)],
  'grub-without-configuration': [recordingOf('proxy-debian-grub'), minutes(2)],
  'configuration-missing': [notFound(before(pxelinux, isBefore('vmlinuz')), 'pxelinux.cfg'), minutes(1)],
  'loader-refused': [recordingOf('secure-unsigned-ipxe'), minutes(2)],
  'kernel-quiet': [recordingOf('kernel-panic'), minutes(2)],
  'log-quiet': [
    followedBy(kernelOnly, [
      {
        type: 'syslog',
        client: stage2.client,
        bytes: 60,
        severity: 6,
        program: 'main-menu',
        text: "INFO: Menu item 'network-preseed' selected",
      },
    ]),
    minutes(16),
  ],
  'stage2-quiet': [followedBy(kernelOnly, [stage2]), minutes(6)],
  'installer-waits': [without(before(proxyIpxe, isBefore('Packages')), served('install.img')), minutes(16)],
  'packages-quiet': [before(proxyIpxe, (event) => event.type === 'report'), minutes(21)],
  'menu-left': [
    changed(before(proxyIpxe, isBefore('vmlinuz')), (event) => {
      if (!served('/boot/by/')(event) || event.decision?.kind !== 'boot') return event
      const { offer: _offer, guest: _guest, ...decision } = event.decision
      return { ...event, decision: { ...decision, summary: 'menu of 3 trees' } }
    }),
    minutes(11),
  ],
  'went-quiet': [before(proxyIpxe, isBefore('/boot/by/')), minutes(6)],
}

test.each(reasonIds)('%s', (id) => {
  const [recording, quietMs] = cases[id]
  const [boot] = replay(recording, quietMs)
  const { state, seen, means, try: attempt } = reasonNamed(id)
  expect(boot).toMatchObject({ state, reason: id })
  // A sentence each, made of this boot and of nothing that is missing.
  for (const text of [boot ? seen(boot) : '', means, attempt]) expect(text).toMatch(/^[A-Z].*[.]$/)
  expect(boot && seen(boot)).not.toMatch(/undefined|NaN|\bnull\b/)
})

test.each(reasonIds.filter((id) => cases[id][1] > 0))('%s is not said too early', (id) => {
  const [recording] = cases[id]
  expect(replay(recording)[0]).toMatchObject({ state: 'running' })
})

test('docs/boots.md has the table of reasons (npm run golden writes it)', () => {
  const rows = reasonIds.map((id) => {
    const { state, seen, means, try: attempt } = reasonNamed(id)
    const [boot] = replay(...cases[id])
    return `| \`${id}\` | ${state} | ${boot ? seen(boot) : ''} | ${means} | ${attempt} |`
  })
  const head = [
    '| reason | state | what was seen | what it means | what to try |',
    '| --- | --- | --- | --- | --- |',
  ]
  expectGoldenPart('docs/boots.md', 'reasons', [...head, ...rows].join('\n'))
})
