import { describe, expect, test } from 'vitest'
import { createGuestIndex } from '../../server/core/guest/match.ts'
import { memorySource } from '../../server/files/memory.ts'
import { cleanPath } from '../../server/files/path.ts'
import {
  bootConfigurationFor,
  handWrittenFor,
  handWrittenSource,
} from '../../server/namespace/hand-written.ts'
import { makeGuest } from '../support/boot-inputs.ts'

const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'

describe('for whom a file is', () => {
  test.each([
    ['/boot.ipxe', 'everybody'],
    ['/ipxe/autoexec.ipxe', 'everybody'],
    ['/pxelinux.cfg/default', 'everybody'],
    ['/pxelinux.cfg/0A63', 'everybody'],
    ['/grub/grub.cfg', 'everybody'],
    ['/pxelinux.cfg/01-52-54-00-aa-bb-01', { macs: ['52:54:00:aa:bb:01'] }],
    ['/bios/pxelinux.cfg/0A63003A', { ip: '10.99.0.58' }],
    [`/grub.cfg-${uuid}`, { uuid }],
    ['/boot/web01/ipxe', { name: 'web01' }],
    [`/boot/by/52-54-00-aa-bb-01/${uuid}/ipxe`, { macs: ['52-54-00-aa-bb-01'], uuid }],
  ])('%s', (path, whose) => {
    expect(bootConfigurationFor(cleanPath(path))).toEqual(whose)
  })
  test.each(['/pxelinux.0', '/kernels/vmlinuz', '/ipxe.efi', '/boot/readme'])('%s is none', (path) => {
    expect(bootConfigurationFor(cleanPath(path))).toBeUndefined()
  })
})

const files = {
  '/pxelinux.cfg/default': 'a',
  '/pxelinux.cfg/01-52-54-00-aa-bb-01': 'b',
  '/pxelinux.cfg/44454c4c-4200-1035-8052-b4c04f4a3132': 'c',
  '/pxelinux.cfg/01-52-54-00-00-00-99': 'd',
  '/boot/by/52-54-00-aa-bb-01/ipxe': 'e',
  '/boot/db01/grub.cfg': 'f',
  '/kernels/vmlinuz': 'g',
}
const guests = createGuestIndex([
  makeGuest('web01', { macs: ['52:54:00:aa:bb:01'], uuid }),
  makeGuest('db01', { macs: ['52:54:00:aa:bb:02'] }),
])

test.each([
  [
    'a guest: everything by which its loaders may know it',
    { name: 'web01' },
    [
      'boot/by/52-54-00-aa-bb-01/ipxe',
      'pxelinux.cfg/01-52-54-00-aa-bb-01',
      'pxelinux.cfg/44454c4c-4200-1035-8052-b4c04f4a3132',
      'pxelinux.cfg/default',
    ],
  ],
  ['another guest', { name: 'db01' }, ['boot/db01/grub.cfg', 'pxelinux.cfg/default']],
  [
    'a stranger',
    { macs: ['52-54-00-00-00-99'] },
    ['pxelinux.cfg/01-52-54-00-00-00-99', 'pxelinux.cfg/default'],
  ],
])('what %s meets', async (_, asked, expected) => {
  const found = await handWrittenFor(memorySource(files), asked, guests)
  expect(found.toSorted()).toEqual(expected.map((path) => `tftpboot/${path}`))
})

test('it is told who was given one, and of nothing else', async () => {
  const told: unknown[] = []
  const source = handWrittenSource(memorySource(files), (path, who, facts) =>
    told.push([path, who.address, facts]),
  )
  const who = { protocol: 'tftp', address: '10.0.0.7' } as const
  for (const path of ['/kernels/vmlinuz', '/pxelinux.cfg/0A00', '/pxelinux.cfg/default'])
    await source.stat(cleanPath(path), who)
  await source.stat(cleanPath('/pxelinux.cfg/default'), { protocol: 'nfs', address: '10.0.0.8' })
  await source.stat(cleanPath('/boot/db01/grub.cfg'), { protocol: 'http', address: '10.0.0.9' })
  expect(told).toEqual([
    ['/pxelinux.cfg/default', '10.0.0.7', { ip: '10.0.0.7' }],
    ['/boot/db01/grub.cfg', '10.0.0.9', { name: 'db01' }],
  ])
})
