import { describe, expect, test } from 'vitest'
import type { Firmware } from '../../../server/core/boot/firmware.ts'
import {
  bootFileName,
  type LoaderChoiceInputs,
  loaderCandidates,
} from '../../../server/core/loader/choice.ts'
import { loaderFiles, treeLoaderPlaces } from '../../../server/core/loader/files.ts'
import { LoaderMemory } from '../../../server/machines/loader-memory.ts'
import { stating } from '../../support/stating.ts'

const places = (firmware: Firmware, more: Partial<LoaderChoiceInputs> = {}): readonly string[] =>
  loaderCandidates({ firmware, preference: 'auto', ...more }).map(({ urlPath }) => urlPath)

describe('which loader each firmware is sent, best first', () => {
  test('BIOS: iPXE, then PXELINUX', () => {
    expect(places('bios').slice(0, 2)).toEqual(['/undionly.kpxe', '/pxelinux.0'])
    expect(places('bios', { preference: 'pxelinux' })[0]).toBe('/pxelinux.0')
  })

  test('UEFI: iPXE with the driver of the firmware, then the signed chain; the same by HTTP', () => {
    const x64 = ['/snponly.efi', '/ipxe.efi', '/shimx64.efi', '/grubx64.efi']
    expect(places('uefi-x64')).toEqual(x64)
    expect(places('uefi-http-x64')).toEqual(x64)
    expect(places('uefi-arm64')).toEqual([
      '/snponly-arm64.efi',
      '/ipxe-arm64.efi',
      '/shimaa64.efi',
      '/grubaa64.efi',
    ])
  })

  test('the chain of the machine’s own tree comes before the host’s', () => {
    const grub = { preference: 'grub', treeId: 'fedora/40' } as const
    expect(places('uefi-x64', grub).slice(0, 2)).toEqual([
      '/boot/loader/fedora/40/shimx64.efi',
      '/shimx64.efi',
    ])
    expect(places('uefi-arm64', grub)[0]).toBe('/boot/loader/fedora/40/shimaa64.efi')
    expect(places('uefi-ia32', grub)[0]).toBe('/shimia32.efi')
  })

  test('iPXE is sent no loader, except PXELINUX under BIOS when it is preferred', () => {
    for (const preference of ['auto', 'ipxe', 'grub'] as const) {
      expect(places('ipxe-bios', { preference })).toEqual([])
      expect(places('ipxe-uefi', { preference })).toEqual([])
    }
    expect(places('ipxe-bios', { preference: 'pxelinux' })[0]).toBe('/pxelinux.0')
    expect(places('ipxe-uefi', { preference: 'pxelinux' })).toEqual([])
  })

  test('U-Boot and Raspberry Pi are sent no loader', () => {
    expect(places('u-boot')).toEqual([])
    expect(places('raspberry-pi')).toEqual([])
  })

  test('a loader that did not start goes last, one that started first, and the preferred one before both', () => {
    expect(places('uefi-x64', { neverStarted: 'ipxe' })[0]).toBe('/shimx64.efi')
    expect(places('uefi-x64', { started: 'grub' })[0]).toBe('/shimx64.efi')
    expect(places('uefi-x64', { preference: 'ipxe', started: 'grub' })[0]).toBe('/snponly.efi')
    const [first] = loaderCandidates({ firmware: 'uefi-x64', preference: 'auto', neverStarted: 'ipxe' })
    expect(first?.why).toMatch(stating('ipxe'))
  })

  test('when the preferred loader is missing, another one is sent, with the reason', () => {
    const last = loaderCandidates({ firmware: 'uefi-x64', preference: 'grub' }).at(-1)
    expect(last).toMatchObject({ kind: 'ipxe', why: expect.stringMatching(stating('grub', 'missing')) })
  })

  describe('loader-from', () => {
    const tree = '/boot/loader/fedora/40/shimx64.efi'
    const treeId = 'fedora/40'
    /** Path and origin of those that come from the chosen place. */
    const chosen = (firmware: Firmware, more: Partial<LoaderChoiceInputs>) =>
      loaderCandidates({ firmware, preference: 'auto', treeId, ...more })
        .filter(({ origin }) => origin !== undefined)
        .map(({ urlPath, origin }) => `${origin} ${urlPath}`)

    test('puts the chosen place before all others, and leaves the others for when it has nothing', () => {
      expect(places('uefi-x64', { treeId, origin: 'tree' })[0]).toBe(tree)
      expect(chosen('uefi-x64', { origin: 'tftpboot' })).toEqual([
        'tftpboot /snponly.efi',
        'tftpboot /ipxe.efi',
        'tftpboot /shimx64.efi',
        'tftpboot /grubx64.efi',
      ])
      expect(chosen('uefi-x64', { origin: 'host' })[0]).toBe('host /boot/loader/.host/snponly.efi')
      const without = places('uefi-x64', { treeId })
      for (const origin of ['tree', 'tftpboot', 'host'] as const)
        expect(places('uefi-x64', { treeId, origin }).slice(-without.length)).toEqual(without)
    })

    test('keeps to the kind of loader that is asked for', () => {
      const grub = { preference: 'grub', treeId } as const
      expect(chosen('uefi-x64', { ...grub, origin: 'tftpboot' })).toEqual([
        'tftpboot /shimx64.efi',
        'tftpboot /grubx64.efi',
      ])
      // The tree's GRUB comes before another loader of the operator's.
      expect(places('uefi-x64', { ...grub, origin: 'tftpboot' })[2]).toBe(tree)
      expect(chosen('uefi-x64', { preference: 'ipxe', origin: 'tree' })).toEqual([])
      expect(chosen('ipxe-bios', { preference: 'pxelinux', origin: 'host' })[0]).toBe(
        'host /boot/loader/.host/pxelinux.0',
      )
      expect(chosen('ipxe-bios', { origin: 'host' })).toEqual([])
    })

    test('knows no chain of a tree for BIOS and ia32, nor for a machine without a tree', () => {
      expect(chosen('bios', { origin: 'tree' })).toEqual([])
      expect(chosen('uefi-ia32', { origin: 'tree' })).toEqual([])
      const [first] = loaderCandidates({ firmware: 'uefi-x64', preference: 'auto', origin: 'tree' })
      expect(first).toMatchObject({ urlPath: '/snponly.efi', why: expect.stringMatching('tree has none') })
    })

    test('does not bring back a loader that this machine never started', () => {
      const never = { origin: 'tftpboot', neverStarted: 'ipxe' } as const
      expect(chosen('uefi-x64', never)[0]).toBe('tftpboot /shimx64.efi')
      expect(places('uefi-x64', never).at(-1)).toBe('/ipxe.efi')
      // It comes before one from elsewhere that the machine has started.
      expect(chosen('uefi-x64', { origin: 'tree', started: 'ipxe' })[0]).toBe(`tree ${tree}`)
    })
  })

  test('the boot file name is a path for TFTP and a URL for HTTP Boot', () => {
    expect(bootFileName('uefi-x64', '/snponly.efi', 'http://h')).toBe('snponly.efi')
    expect(bootFileName('uefi-http-x64', '/snponly.efi', 'http://h:8080')).toBe('http://h:8080/snponly.efi')
  })
})

describe('the paths of loaders', () => {
  test('every name is listed once, and every path is absolute', () => {
    const names = loaderFiles.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { places: all } of loaderFiles) for (const place of all) expect(place).toMatch(/^\/[^ ]+$/)
  })

  test('Fedora, SUSE and debian-installer have their chain in different folders', () => {
    expect(treeLoaderPlaces('shimx64.efi', 'images/pxeboot')).toEqual([
      'EFI/BOOT/BOOTX64.EFI',
      'EFI/BOOT/bootx64.efi',
      'images/pxeboot/bootnetx64.efi',
      'images/pxeboot/bootx64.efi',
    ])
    expect(treeLoaderPlaces('grubx64.efi', 'debian-installer/amd64')).toContain(
      'debian-installer/amd64/grubx64.efi',
    )
    expect(treeLoaderPlaces('shimaa64.efi', 'debian-installer/arm64')).toContain(
      'debian-installer/arm64/bootnetaa64.efi',
    )
    // Once for each of SUSE's two shims, which ask for the same name.
    expect(treeLoaderPlaces('grub.efi', '')).toEqual(['EFI/BOOT/grub.efi', 'EFI/BOOT/grub.efi'])
    // shim's program for enrolling keys, by its two names.
    expect(treeLoaderPlaces('mmx64.efi', 'k')).toEqual(['EFI/BOOT/mmx64.efi', 'k/mmx64.efi'])
    expect(treeLoaderPlaces('MokManager.efi', 'k')).toEqual(['EFI/BOOT/MokManager.efi'])
    for (const name of ['xshimx64.efi', 'shimx64.efi.bak', 'grubx64.efix', 'ammx64.efi'])
      expect(treeLoaderPlaces(name, 'k')).toEqual([])
    // shim asks for it and waits for the answer.
    expect(treeLoaderPlaces('revocations_sbat.efi', '')).toEqual([])
    // A kernel in the tree's own folder.
    expect(treeLoaderPlaces('grubx64.efi', '')).toContain('grubx64.efi')
  })
})

// The numbers are transaction ids (xid) of DHCP requests: a new one is a new attempt.
describe('the memory of the loaders that a machine started', () => {
  const mac = '52:54:00:aa:bb:01'
  const ipxe = { kind: 'ipxe', urlPath: '/snponly.efi' } as const
  const grub = { kind: 'grub', urlPath: '/shimx64.efi' } as const

  test('a repeated request is the same attempt', () => {
    const memory = new LoaderMemory()
    expect(memory.history(mac, 1)).toEqual({})
    memory.sent(mac, 1, ipxe)
    expect(memory.history(mac, 1)).toEqual({})
    // What the last choice was based on.
    expect(memory.lastBasis(mac)).toEqual({})
  })

  test('a loader that was sent and did not start gives way to another, and then comes again', () => {
    const memory = new LoaderMemory()
    memory.sent(mac, 1, ipxe)
    expect(memory.history(mac, 2)).toEqual({})
    memory.fetched(ipxe.urlPath, mac)
    expect(memory.history(mac, 2)).toEqual({ neverStarted: 'ipxe' })
    memory.sent(mac, 2, grub)
    expect(memory.history(mac, 2)).toEqual({ neverStarted: 'ipxe' })
    expect(memory.lastBasis(mac)).toEqual({ neverStarted: 'ipxe' })
    memory.fetched(grub.urlPath, undefined)
    expect(memory.history(mac, 3)).toEqual({ neverStarted: 'grub' })
  })

  test('a loader that started is sent again', () => {
    const memory = new LoaderMemory()
    memory.sent(mac, 1, ipxe)
    memory.sent(mac, 2, grub)
    memory.fetched(grub.urlPath, mac)
    memory.ran(mac, 'ipxe') // not what it was sent last
    expect(memory.history(mac, 3)).toEqual({ neverStarted: 'grub' })
    memory.ran(mac, 'grub')
    expect(memory.history(mac, 3)).toEqual({ started: 'grub' })
    memory.sent(mac, 3, grub)
    expect(memory.history(mac, 4)).toEqual({ started: 'grub' })
  })
})
