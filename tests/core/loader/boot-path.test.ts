import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type BootPath,
  type BootPathOwner,
  bootPathForms,
  parseBootPath,
} from '../../../server/core/loader/boot-path.ts'

const mac: BootPathOwner = { kind: 'machine', macs: ['52:54:00:aa:bb:01'] }
const byUuid = (uuid: string): BootPathOwner => ({ kind: 'machine', macs: [], uuid })
const everybody: BootPathOwner = { kind: 'everybody' }
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3732'
/** The same in the raw byte order of PXELINUX. Parsing keeps the order. */
const rawUuid = '44454c4c-4200-1035-8052-b4c04f4a3732'

describe('paths that loaders request', () => {
  test.each<[string, BootPath]>([
    ['/pxelinux.cfg/01-52-54-00-aa-bb-01', { form: 'pxelinux', loader: 'pxelinux', folder: '', owner: mac }],
    ['pxelinux.cfg/01-52-54-00-aa-bb-01', { form: 'pxelinux', loader: 'pxelinux', folder: '', owner: mac }],
    [
      '//boot//pxelinux.cfg/01-52-54-00-AA-BB-01',
      { form: 'pxelinux', loader: 'pxelinux', folder: 'boot', owner: mac },
    ],
    [
      `/pxelinux.cfg/${rawUuid}`,
      { form: 'pxelinux', loader: 'pxelinux', folder: '', owner: byUuid(rawUuid) },
    ],
    [
      '/pxelinux.cfg/0A63003A',
      { form: 'pxelinux', loader: 'pxelinux', folder: '', owner: { kind: 'address', ip: '10.99.0.58' } },
    ],
    [
      '/pxelinux.cfg/0',
      { form: 'pxelinux', loader: 'pxelinux', folder: '', owner: { kind: 'network', hex: '0' } },
    ],
    ['/pxelinux.cfg/default', { form: 'pxelinux', loader: 'pxelinux', folder: '', owner: everybody }],
    [
      '/pxelinux.cfg/default-arm-bcm283x-rpi',
      { form: 'pxelinux', loader: 'pxelinux', folder: '', owner: everybody },
    ],
    ['/grub/grub.cfg-01-52-54-00-aa-bb-01', { form: 'grub', loader: 'grub', folder: 'grub', owner: mac }],
    [
      `/EFI/fedora/grub.cfg-${uuid}`,
      { form: 'grub', loader: 'grub', folder: 'EFI/fedora', owner: byUuid(uuid) },
    ],
    ['/grub.cfg-0a63', { form: 'grub', loader: 'grub', folder: '', owner: { kind: 'network', hex: '0A63' } }],
    ['/grub.cfg', { form: 'grub', loader: 'grub', folder: '', owner: everybody }],
    ['/boot.ipxe', { form: 'script', loader: 'ipxe', folder: '', owner: everybody }],
    ['/ipxe/autoexec.ipxe', { form: 'script', loader: 'ipxe', folder: 'ipxe', owner: everybody }],
    [
      '/boot/web01/ipxe',
      { form: 'guest', loader: 'ipxe', folder: '', owner: { kind: 'guest', name: 'web01' } },
    ],
    [
      '/boot/web01/pxelinux.cfg',
      { form: 'guest', loader: 'pxelinux', folder: '', owner: { kind: 'guest', name: 'web01' } },
    ],
    [
      '/boot/web01/grub.cfg',
      { form: 'guest', loader: 'grub', folder: '', owner: { kind: 'guest', name: 'web01' } },
    ],
    [
      `/boot/by/52-54-00-aa-bb-01/${uuid}/ipxe`,
      { form: 'identity', loader: 'ipxe', folder: '', owner: { ...mac, uuid } },
    ],
    ['/boot/by/52:54:00:aa:bb:01/grub.cfg', { form: 'identity', loader: 'grub', folder: '', owner: mac }],
    [
      '/boot/by/52-54-00-aa-bb-01/00000000-0000-0000-0000-000000000000/ipxe',
      { form: 'identity', loader: 'ipxe', folder: '', owner: mac },
    ],
    [
      '/boot/loader/fedora/40/grub.cfg',
      { form: 'grub', loader: 'grub', folder: 'boot/loader/fedora/40', owner: everybody },
    ],
  ])('%s', (path, parsed) => expect(parseBootPath(path)).toEqual(parsed))

  test.each([
    '',
    '/',
    '/pxelinux.cfg',
    '/pxelinux.cfg/',
    '/pxelinux.cfg/menu.msg',
    '/pxelinux.cfg/0A63003A0',
    '/pxelinux.cfg/default-',
    '/pxelinux.cfg/sub/default',
    '/grub.cfg-',
    '/grub.cfg-default',
    '/grub.cfg.bak',
    '/grub/x86_64-efi/command.lst',
    '/trees/a/01-52-54-00-aa-bb-01',
    '/trees/a/EFI/BOOT/grub.cfg',
    '/ks/pxelinux.cfg/default',
    '/boot/by/nonsense/ipxe',
    '/boot/by/52-54-00-aa-bb-01/virt-install.sh',
    '/boot/by/52-54-00-aa-bb-01/nonsense/grub.cfg',
    '/boot/web01/virt-install.sh',
  ])('%s is not a boot path', (path) => expect(parseBootPath(path)).toBeUndefined())

  test('PXELINUX shortens the address digit by digit', () => {
    for (let length = 7; length > 0; length--) {
      const hex = '0A63003A'.slice(0, length)
      expect(parseBootPath(`/pxelinux.cfg/${hex}`)?.owner).toEqual({ kind: 'network', hex })
    }
  })

  test('parsing never throws, whatever the path', () => {
    const part = fc.oneof(
      fc.constantFrom('pxelinux.cfg', 'grub.cfg-', 'default', '/', '01-', '/boot/by/', 'ipxe'),
      fc.string(),
    )
    fc.assert(fc.property(fc.array(part), (parts) => void parseBootPath(parts.join(''))))
  })

  test('every form has a description for people', () => {
    for (const { shown, what } of bootPathForms) expect([shown, what]).not.toContain('')
  })
})
