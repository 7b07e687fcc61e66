import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BootPathOwner, bootPathForms, parseBootPath } from '../../../server/core/loader/boot-path.ts'

const mac: BootPathOwner = { kind: 'machine', macs: ['52:54:00:aa:bb:01'] }
const byUuid = (uuid: string): BootPathOwner => ({ kind: 'machine', macs: [], uuid })
const everybody: BootPathOwner = { kind: 'everybody' }
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3732'
const rawUuid = '44454c4c-4200-1035-8052-b4c04f4a3732'

type Loader = 'ipxe' | 'pxelinux' | 'grub'

describe('paths that loaders ask for', () => {
  test.each<[string, string, Loader, string, BootPathOwner]>([
    ['/pxelinux.cfg/01-52-54-00-aa-bb-01', 'pxelinux', 'pxelinux', '', mac],
    ['pxelinux.cfg/01-52-54-00-aa-bb-01', 'pxelinux', 'pxelinux', '', mac],
    ['//boot//pxelinux.cfg/01-52-54-00-AA-BB-01', 'pxelinux', 'pxelinux', 'boot', mac],
    [`/pxelinux.cfg/${rawUuid}`, 'pxelinux', 'pxelinux', '', byUuid(rawUuid)],
    ['/pxelinux.cfg/0A63003A', 'pxelinux', 'pxelinux', '', { kind: 'address', ip: '10.99.0.58' }],
    ['/pxelinux.cfg/0', 'pxelinux', 'pxelinux', '', { kind: 'network', hex: '0' }],
    ['/pxelinux.cfg/default', 'pxelinux', 'pxelinux', '', everybody],
    ['/pxelinux.cfg/default-arm-bcm283x-rpi', 'pxelinux', 'pxelinux', '', everybody],
    ['/grub/grub.cfg-01-52-54-00-aa-bb-01', 'grub', 'grub', 'grub', mac],
    [`/EFI/fedora/grub.cfg-${uuid}`, 'grub', 'grub', 'EFI/fedora', byUuid(uuid)],
    ['/grub.cfg-0a63', 'grub', 'grub', '', { kind: 'network', hex: '0A63' }],
    ['/grub.cfg', 'grub', 'grub', '', everybody],
    ['/boot.ipxe', 'script', 'ipxe', '', everybody],
    ['/ipxe/autoexec.ipxe', 'script', 'ipxe', 'ipxe', everybody],
    ['/boot/web01/ipxe', 'guest', 'ipxe', '', { kind: 'guest', name: 'web01' }],
    ['/boot/web01/pxelinux.cfg', 'guest', 'pxelinux', '', { kind: 'guest', name: 'web01' }],
    ['/boot/web01/grub.cfg', 'guest', 'grub', '', { kind: 'guest', name: 'web01' }],
    [`/boot/by/52-54-00-aa-bb-01/${uuid}/ipxe`, 'identity', 'ipxe', '', { ...mac, uuid } as BootPathOwner],
    ['/boot/by/52:54:00:aa:bb:01/grub.cfg', 'identity', 'grub', '', mac],
    ['/boot/by/52-54-00-aa-bb-01/00000000-0000-0000-0000-000000000000/ipxe', 'identity', 'ipxe', '', mac],
    ['/boot/loader/fedora/40/grub.cfg', 'grub', 'grub', 'boot/loader/fedora/40', everybody],
  ])('%s', (path, form, loader, folder, owner) =>
    expect(parseBootPath(path)).toEqual({ form, loader, folder, owner }),
  )

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
  ])('%s is not one of them', (path) => expect(parseBootPath(path)).toBeUndefined())

  test('PXELINUX shortens the address digit by digit', () => {
    for (let length = 7; length > 0; length--) {
      const hex = '0A63003A'.slice(0, length)
      expect(parseBootPath(`/pxelinux.cfg/${hex}`)?.owner).toEqual({ kind: 'network', hex })
    }
  })

  test('any path is understood or not, and never throws', () => {
    const part = fc.oneof(
      fc.constantFrom('pxelinux.cfg', 'grub.cfg-', 'default', '/', '01-', '/boot/by/', 'ipxe'),
      fc.string(),
    )
    fc.assert(fc.property(fc.array(part), (parts) => void parseBootPath(parts.join(''))))
  })

  test('every form has a line for people', () => {
    for (const { shown, what } of bootPathForms) expect([shown, what]).not.toContain('')
  })
})
