import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { diskLoaders } from '../../server/core/distro/efi.ts'
import type { MachineFirmware } from '../../server/emulator/machine.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { type BootCase, type Booted, bootGuest } from '../support/lab/boot.ts'
import {
  type Disk,
  installedShims,
  startedByGrub,
  strangeUefiDisk,
  type UefiFiles,
  uefiDisk,
  uefiDiskNeeds,
} from '../support/lab/disk.ts'
import { grubImageNeeds, makeGrub } from '../support/lab/grub-image.ts'
import { type Bench, labInstaller, makeBench } from '../support/lab/lab.ts'

const shim = '/usr/lib/shim/shimx64.efi.signed'
const grub = '/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed'
const snponly = '/usr/lib/ipxe/snponly.efi'
/** One file of the package that has OVMF for every x64 machine here, with Secure Boot and without. */
const ovmf = '/usr/share/OVMF/OVMF_CODE_4M.ms.fd'

/** The nightly run boots every loader; each change boots those of a few distributions (here and in boot-life). */
const everyLoader = process.env.EVERY_LOADER !== undefined

/** As GRUB names it: a FAT file system finds names in any case. */
const removable = 'BOOT/BOOTx64.EFI'

/** Every machine is unknown, and boots its disk. */
const toTheDisk = { guests: {}, unknown: 'local' } as const

describe('a machine that treeboot sends to its disk', () => {
  let bench: Bench

  beforeEach(() => {
    requireRoot()
    requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'curl', ovmf, shim, grub, ...uefiDiskNeeds)
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  /** From shim and GRUB as Debian signs them, by TFTP, to a disk that says its line and powers off. */
  async function expectDisk(
    firmware: MachineFirmware,
    disk: Disk,
    started: readonly (string | undefined)[] = [disk.loader],
  ): Promise<void> {
    const booted = await bootGuest(bench, {
      firmware,
      loaders: { 'shimx64.efi': shim, 'grubx64.efi': grub },
      advice: () => ({ bootFile: 'shimx64.efi', nextServer: '192.0.2.1' }),
      config: toTheDisk,
      disk: disk.drive,
    })
    await expectStarted(booted, disk, started)
    expect(booted.machine.output.text).not.toMatch(/error: no such/)
  }

  test('Secure Boot: the first of two systems is started, without a word of what is not there', async () => {
    const disk = uefiDisk(bench.folder, [installedShims.debian, 'ubuntu/shimx64.efi'])
    await expectDisk('secure', disk)
  })

  /** OVMF's next entry is network boot by IPv6. The disk is its last one, minutes later, and is not waited for. */
  test('no loader: GRUB leaves, iPXE fails, and the firmware tries its next boot entry', async () => {
    requireClient(snponly)
    const { output } = await bootToNothing({
      loaders: { 'snponly.efi': snponly, 'grubx64.efi': grub },
      advice: ({ url }) => ({
        bootFile: 'snponly.efi',
        nextServer: '192.0.2.1',
        ipxeFile: `${url}/boot.ipxe`,
      }),
    })
    await output.waitFor(/BdsDxe: failed to start Boot\d+ "UEFI PXEv4/, 180_000)
    await output.waitFor(/Start PXE over IPv6/, 30_000)
    expect(output.text).toContain('Welcome to GRUB!')
    expect(startedByGrub(output.text)).toEqual([])
    expect(output.text).not.toMatch(/UiApp|error: no such/)
  })

  async function bootToNothing(boot: Pick<BootCase, 'loaders' | 'advice'>): Promise<Booted['machine']> {
    const disk = strangeUefiDisk(bench.folder)
    const { machine } = await bootGuest(bench, { firmware: 'uefi', config: toTheDisk, disk, ...boot })
    return machine
  }

  describe.runIf(everyLoader)('every loader of every distribution', () => {
    const known = diskLoaders.map((path) => path.replace('/EFI/', '').replaceAll('$cpu', 'x64'))
    test.each([...known, 'unheard-of/shimx64.efi', removable])('Secure Boot: %s', async (loader) => {
      await expectDisk('secure', uefiDisk(bench.folder, [loader]))
    })

    test('a GRUB in a folder that no record names, when the fallback of removable media comes back', async () => {
      const unknown = 'unheard-of/grubx64.efi'
      await expectDisk('secure', uefiDisk(bench.folder, [unknown]), [removable, unknown])
    })

    test('no loader: GRUB 2.06 that shim started ends in the menu of the firmware', async () => {
      const { output } = await bootToNothing({
        loaders: { 'shimx64.efi': shim, 'grubx64.efi': grub },
        advice: () => ({ bootFile: 'shimx64.efi', nextServer: '192.0.2.1' }),
      })
      await output.waitFor(/BdsDxe: starting Boot\d+ "UiApp"/, 180_000)
      expect(startedByGrub(output.text)).toEqual([])
    })

    test('a GRUB without the module that expands patterns', async () => {
      requireClient(...grubImageNeeds)
      const disk = uefiDisk(bench.folder, [installedShims.suse])
      const booted = await bootGuest(bench, {
        firmware: 'uefi',
        loaders: { 'grubx64.efi': makeGrub(bench.folder, ['tftp']) },
        advice: () => ({ bootFile: 'grubx64.efi', nextServer: '192.0.2.1' }),
        config: toTheDisk,
        disk: disk.drive,
      })
      await booted.machine.output.waitFor(/error: no such device: \/EFI\/fedora/, 200_000)
      await expectStarted(booted, disk)
    })

    test('arm64: Debian', async () => {
      requireClient('qemu-system-aarch64', '/usr/share/AAVMF/AAVMF_CODE.fd')
      const folder = join((await labInstaller('arm64')).folder, 'debian-installer/arm64')
      const files: UefiFiles = {
        shim: join(folder, 'bootnetaa64.efi'),
        grub: join(folder, 'grubaa64.efi'),
        cpu: 'aa64',
      }
      const disk = uefiDisk(bench.folder, ['debian/shimaa64.efi'], files)
      const booted = await bootGuest(bench, {
        firmware: 'arm64',
        loaders: { 'shimaa64.efi': files.shim, 'grubaa64.efi': files.grub },
        advice: () => ({ bootFile: 'shimaa64.efi', nextServer: '192.0.2.1' }),
        config: toTheDisk,
        disk: disk.drive,
      })
      await expectStarted(booted, disk)
    })
  })
})

/** GRUB starts these loaders of the disk, and no other. The last one powers the machine off. */
async function expectStarted(
  { machine }: Booted,
  disk: Disk,
  started: readonly (string | undefined)[] = [disk.loader],
): Promise<void> {
  await machine.output.waitFor(new RegExp(disk.line), 200_000)
  expect(await machine.ended).toBe(0)
  expect(startedByGrub(machine.output.text)).toEqual(started)
}
