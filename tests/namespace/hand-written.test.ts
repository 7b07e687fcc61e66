import { expect, test } from 'vitest'
import { createGuestIndex } from '../../server/core/guest/match.ts'
import { memorySource } from '../../server/files/memory.ts'
import { cleanPath } from '../../server/files/path.ts'
import { handWrittenFor, handWrittenSource } from '../../server/namespace/hand-written.ts'
import { makeGuest } from '../support/boot-inputs.ts'

const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3132'

// 44454c4c-... is that UUID in the raw byte order that PXELINUX sends.
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

test('a boot configuration carries what it decides for whom, and no other file does', async () => {
  const source = handWrittenSource(memorySource(files), () => guests)
  const carried = async (path: string, address: string) =>
    (await source.stat(cleanPath(path), { protocol: 'tftp', address }))?.decision
  expect(await carried('/kernels/vmlinuz', '10.0.0.7')).toBeUndefined()
  expect(await carried('/pxelinux.cfg/default', '10.0.0.7')).toEqual({
    kind: 'boot',
    summary: 'tftpboot/pxelinux.cfg/default, written by hand',
    facts: { ip: '10.0.0.7' },
    loader: 'pxelinux',
    localDisk: false,
  })
  expect(await carried('/boot/db01/grub.cfg', '10.0.0.9')).toMatchObject({ guest: 'db01', loader: 'grub' })
  expect(await carried('/pxelinux.cfg/01-52-54-00-aa-bb-01', '10.0.0.9')).toMatchObject({ guest: 'web01' })
})
