import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Snapshot } from '../../server/catalog/snapshot.ts'
import { testFirmwares, testFirmwaresOf } from '../../server/core/boot/test-firmware.ts'
import type { GuestState } from '../../server/core/guest/state.ts'
import type { TriedBoot } from '../../server/dryboot/steps.ts'
import {
  debianSbat,
  efiFile,
  loaderTexts,
  machinesWith,
  makeBootableTree,
  pathsOf,
  readFolder,
  tryIn,
} from '../support/dry-boot.ts'
import { keptFolder, writeBelow } from '../support/tree-folder.ts'

const home = keptFolder()
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3732'
let proxy: Snapshot
let off: Snapshot

const guests = `
profiles:
  x64: { tree: { id: fedora-40 }, template: small.ks }
guests:
  web01: { mac: "52:54:00:aa:bb:01", uuid: ${uuid}, profile: x64, serial: "SN 1" }
  pxe01: { mac: "52:54:00:aa:bb:02", uuid: ${uuid.replace('4c', '5c')}, profile: x64, loader: pxelinux }
  grub01: { mac: "52:54:00:aa:bb:03", profile: x64, loader: grub }
  arm01: { mac: "52:54:00:aa:bb:04", tree: { id: fedora-arm }, template: small.ks }
  arm02: { mac: "52:54:00:aa:bb:05", tree: { id: fedora-arm }, template: small.ks, loader: grub }
`

beforeAll(async () => {
  makeBootableTree(home.path, 'fedora-40')
  makeBootableTree(home.path, 'fedora-arm', { arch: 'aarch64' })
  for (const [name, bytes] of Object.entries(loaderTexts)) writeBelow(home.path, `tftpboot/${name}`, bytes)
  writeBelow(home.path, 'kickstart-templates/small.ks', 'text\n{{ install_source }}\n')
  writeBelow(home.path, 'config.yaml', `dhcp: { mode: proxy }\n${guests}`)
  proxy = await readFolder(home.path)
  writeBelow(home.path, 'config.yaml', guests)
  off = await readFolder(home.path)
})
afterAll(() => home.remove())

/** The installer of a Fedora tree, as dracut and anaconda ask. */
const installer = (guest: string, tree: string) => [
  `http /trees/${tree}/.treeinfo`,
  `http /trees/${tree}/images/install.img`,
  `http /ks/${guest}`,
  `http /trees/${tree}/repodata/repomd.xml`,
]
const images = (by: string, tree = 'fedora-40') => [
  `${by} /trees/${tree}/images/pxeboot/vmlinuz`,
  `${by} /trees/${tree}/images/pxeboot/initrd.img`,
]
const script = (mac: string, machine = `${uuid}/`, serial = '') => [
  'http /boot.ipxe',
  `http /boot/by/${mac}/${machine}ipxe?serial=${serial}&vendor=`,
]
const web01 = [
  ...script('52-54-00-aa-bb-01', `${uuid}/`, 'SN%201'),
  ...images('http'),
  ...installer('web01', 'fedora-40'),
]
const pxe01 = [
  'tftp pxelinux.0',
  'tftp ldlinux.c32',
  // The first three groups of the UUID are in raw byte order.
  'tftp pxelinux.cfg/44454c5c-4200-1035-8052-b4c04f4a3732',
  ...images('tftp'),
  ...installer('pxe01', 'fedora-40'),
]

/** The paths of these lists are those that the lab's recordings and tests/interop/dry-boot.test.ts show. */
describe('a boot that passes asks for what the real firmware asks for', () => {
  const passes = async (guest: string, firmware: TriedBoot['firmware'], snapshot = proxy) => {
    const [boot] = await tryIn(home.path, guest, { firmware }, { snapshot })
    expect(boot, JSON.stringify(boot?.steps.at(-1))).toMatchObject({ ok: true, guest, firmware })
    return boot ? pathsOf(boot) : []
  }

  test('BIOS: undionly.kpxe, then the script', async () => {
    expect(await passes('web01', 'bios')).toEqual(['tftp undionly.kpxe', ...web01])
  })

  test('BIOS: PXELINUX, from its own ROM and from iPXE', async () => {
    expect(await passes('pxe01', 'bios')).toEqual(pxe01)
    expect(await passes('pxe01', 'ipxe')).toEqual(pxe01)
  })

  test('iPXE in the ROM: the script alone', async () => {
    expect(await passes('web01', 'ipxe')).toEqual(web01)
  })

  test('UEFI by PXE and by HTTP Boot: iPXE, then the script', async () => {
    expect(await passes('web01', 'uefi-x64')).toEqual(['tftp snponly.efi', ...web01])
    expect(await passes('web01', 'uefi-http')).toEqual(['http /snponly.efi', ...web01])
  })

  test('UEFI: shim and Debian’s GRUB, where another DHCP server names the loader', async () => {
    expect(await passes('grub01', 'uefi-x64', off)).toEqual([
      'tftp shimx64.efi',
      'tftp grubx64.efi',
      'tftp /grub/grub.cfg',
      'tftp /boot/by/52:54:00:aa:bb:03/grub.cfg',
      ...images('tftp'),
      ...installer('grub01', 'fedora-40'),
    ])
  })

  test('shim and GRUB ask for more, and go on without it', async () => {
    const [boot] = await tryIn(home.path, 'grub01', { firmware: 'uefi-x64' }, { snapshot: off })
    const absent = boot?.steps.filter(({ outcome }) => outcome === 'absent').map(({ asked }) => asked)
    expect(absent).toEqual([
      'revocations_sku.efi',
      'revocations_sbat.efi',
      'shim_certificate_0.efi',
      ...['command', 'fs', 'crypto', 'terminal'].map((name) => `/grub/x86_64-efi/${name}.lst`),
      '/trees/fedora-40/images/updates.img',
      '/trees/fedora-40/images/product.img',
    ])
  })

  test('UEFI: a GRUB without a prefix of its own asks by MAC beside itself', async () => {
    writeBelow(
      home.path,
      'tftpboot/grubx64.efi',
      efiFile({ text: debianSbat.replaceAll('debian', 'fedora') }),
    )
    const paths = await passes('grub01', 'uefi-x64').finally(() =>
      writeBelow(home.path, 'tftpboot/grubx64.efi', loaderTexts['grubx64.efi'] ?? ''),
    )
    expect(paths.slice(0, 4)).toEqual([
      'tftp shimx64.efi',
      'tftp grubx64.efi',
      'tftp /grub.cfg-01-52-54-00-aa-bb-03',
      images('tftp')[0],
    ])
  })

  test('UEFI on arm64: iPXE; shim and GRUB of debian-installer', async () => {
    const arm = (guest: string, by: string) => [
      ...images(by, 'fedora-arm'),
      ...installer(guest, 'fedora-arm'),
    ]
    const asked = script('52-54-00-aa-bb-04', '00000000-0000-0000-0000-000000000000/')
    expect(await passes('arm01', 'uefi-arm64')).toEqual([
      'tftp snponly-arm64.efi',
      ...asked,
      ...arm('arm01', 'http'),
    ])
    expect(await passes('arm01', 'uefi-http')).toEqual([
      'http /snponly-arm64.efi',
      ...asked,
      ...arm('arm01', 'http'),
    ])
    expect(await passes('arm02', 'uefi-arm64', off)).toEqual([
      'tftp shimaa64.efi',
      'tftp grubaa64.efi',
      'tftp /debian-installer/arm64/grub/grub.cfg',
      'tftp /boot/by/52:54:00:aa:bb:05/grub.cfg',
      ...arm('arm02', 'tftp'),
    ])
  })

  test('a hypervisor: kernel and initrd by HTTP, as virt-install --install fetches them', async () => {
    expect(await passes('web01', 'direct')).toEqual([...images('http'), ...installer('web01', 'fedora-40')])
  })
})

describe('which firmware is tried', () => {
  const tried = async (guest: string, options = {}, seen = {}) => {
    const machine = { id: '52:54:00:aa:bb:01', mac: '52:54:00:aa:bb:01', firstMs: 1, lastMs: 1, count: 1 }
    const parts = { snapshot: proxy, seen: [{ ...machine, ...seen }] }
    return (await tryIn(home.path, guest, options, parts)).map(({ firmware }) => firmware)
  }

  test('what the machine showed last, else all of its architecture', async () => {
    expect(await tried('web01', {}, { firmware: 'uefi-http-x64' })).toEqual(['uefi-http'])
    expect(await tried('web01', {}, { firmware: 'ipxe-uefi' })).toEqual(['ipxe'])
    expect(await tried('web01', {}, { firmware: 'u-boot' })).toEqual(testFirmwaresOf('x86_64'))
    expect(await tried('arm01')).toEqual(['uefi-arm64', 'uefi-http', 'ipxe', 'direct'])
  })

  test('all of the architecture when that is asked for, or the one that is named', async () => {
    const all = await tried('web01', { firmware: 'all' }, { firmware: 'bios' })
    expect(all).toEqual(['bios', 'uefi-x64', 'uefi-http', 'ipxe', 'direct'])
    expect(await tried('web01', { firmware: 'uefi-arm64' }, { firmware: 'bios' })).toEqual(['uefi-arm64'])
    // Together the architectures have every kind.
    expect(new Set(['x86_64', 'aarch64'].flatMap(testFirmwaresOf))).toEqual(new Set(testFirmwares))
    expect(testFirmwaresOf('s390x')).toEqual(['direct'])
  })
})

describe('what the guest’s state makes of it', () => {
  const installed: GuestState = { state: 'installed', sinceMs: Date.UTC(2026, 10, 30), install: 3 }
  const parts = () => ({ snapshot: proxy, machines: machinesWith({ web01: installed }) })

  test('an installed guest boots its disk, and would be installed if that were ordered', async () => {
    const [next] = await tryIn(home.path, 'web01', { firmware: 'bios' }, parts())
    expect(next).toMatchObject({ ok: true, as: 'next-boot' })
    expect(next?.end).toMatch(/^boots its own disk: web01 is installed since 2026-11-30/)
    expect(pathsOf(next as TriedBoot)).toEqual(['tftp undionly.kpxe', ...web01.slice(0, 2)])
    const [asIf] = await tryIn(home.path, 'web01', { firmware: 'bios', as: 'install' }, parts())
    expect(asIf).toMatchObject({ ok: true, as: 'install', end: 'installs fedora-40' })
    expect(pathsOf(asIf as TriedBoot)).toEqual(['tftp undionly.kpxe', ...web01])
  })

  test('iPXE under UEFI needs a GRUB for the disk', async () => {
    const [boot] = await tryIn(home.path, 'web01', { firmware: 'uefi-x64' }, parts())
    expect(boot?.steps.at(-1)).toMatchObject({ outcome: 'ok', path: '/grubx64.efi' })
  })

  test('while the store cannot be written, nothing is installed', async () => {
    const machines = { ...machinesWith(), whyNotWritable: () => 'the disk is full' }
    const tried = (as: TriedBoot['as']) =>
      tryIn(home.path, 'web01', { firmware: 'ipxe', as }, { snapshot: proxy, machines })
    for (const as of ['next-boot', 'install'] as const)
      expect((await tried(as))[0]?.end).toBe(
        'boots its own disk: web01 is not installed now: the disk is full',
      )
  })
})
