import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type LoaderLookup, parseLoaderName } from '../../../server/core/loader/boot-path.ts'

const mac: LoaderLookup = { kind: 'mac', mac: '52:54:00:aa:bb:01' }

describe('what loaders ask for', () => {
  test.each<[string, 'pxelinux' | 'grub', string, LoaderLookup]>([
    ['/pxelinux.cfg/01-52-54-00-aa-bb-01', 'pxelinux', '', mac],
    ['pxelinux.cfg/01-52-54-00-aa-bb-01', 'pxelinux', '', mac],
    ['//boot//pxelinux.cfg/01-52-54-00-AA-BB-01', 'pxelinux', 'boot', mac],
    [
      '/pxelinux.cfg/44454c4c-4200-1035-8052-b4c04f4a3732',
      'pxelinux',
      '',
      { kind: 'uuid', uuid: '44454c4c-4200-1035-8052-b4c04f4a3732' },
    ],
    ['/pxelinux.cfg/0A63003A', 'pxelinux', '', { kind: 'ip-prefix', hex: '0A63003A' }],
    ['/pxelinux.cfg/0', 'pxelinux', '', { kind: 'ip-prefix', hex: '0' }],
    ['/pxelinux.cfg/default', 'pxelinux', '', { kind: 'default' }],
    [
      '/pxelinux.cfg/default-arm-bcm283x-rpi',
      'pxelinux',
      '',
      { kind: 'default', platform: 'arm-bcm283x-rpi' },
    ],
    ['/grub/grub.cfg-01-52-54-00-aa-bb-01', 'grub', 'grub', mac],
    [
      '/EFI/fedora/grub.cfg-4c4c4544-0042-3510-8052-b4c04f4a3732',
      'grub',
      'EFI/fedora',
      { kind: 'uuid', uuid: '4c4c4544-0042-3510-8052-b4c04f4a3732' },
    ],
    ['/grub.cfg-0A63', 'grub', '', { kind: 'ip-prefix', hex: '0A63' }],
    ['/grub.cfg', 'grub', '', { kind: 'default' }],
  ])('%s', (path, loader, folder, lookup) =>
    expect(parseLoaderName(path)).toEqual({ loader, folder, lookup }),
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
  ])('%s is no such question', (path) => expect(parseLoaderName(path)).toBeUndefined())

  test('PXELINUX shortens the address digit by digit', () => {
    for (let length = 8; length > 0; length--) {
      const hex = '0A63003A'.slice(0, length)
      expect(parseLoaderName(`/pxelinux.cfg/${hex}`)?.lookup).toEqual({ kind: 'ip-prefix', hex })
    }
  })

  test('arbitrary paths are a question or none', () => {
    const part = fc.oneof(fc.constantFrom('pxelinux.cfg', 'grub.cfg-', 'default', '/', '01-'), fc.string())
    fc.assert(fc.property(fc.array(part), (parts) => void parseLoaderName(parts.join(''))))
  })
})
