import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { requireClient, requireRoot } from '../support/clients.ts'
import { bootGuest, expectInstall } from '../support/lab/boot.ts'
import { grubImageNeeds, makeGrub } from '../support/lab/grub-image.ts'
import { type Bench, labInstaller, makeBench } from '../support/lab/lab.ts'
import { requestsOf } from '../support/lab/requests.ts'

const shim = '/usr/lib/shim/shimx64.efi.signed'
const grub = '/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed'
const ipxe = '/usr/lib/ipxe/ipxe.efi'
/** One file of the package that has OVMF for every x64 machine here, with Secure Boot and without. */
const ovmf = '/usr/share/OVMF/OVMF_CODE_4M.ms.fd'

/** The names that shim looks for beside itself. */
const signedChain = { 'shimx64.efi': shim, 'grubx64.efi': grub }

describe('UEFI, an address from somebody else’s DHCP server, everything else from treeboot', () => {
  let bench: Bench

  beforeEach(() => {
    requireRoot()
    requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'curl', ovmf)
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  test.each([
    ['x64', 'uefi'],
    ['x64 with Secure Boot enforced', 'secure'],
  ] as const)('%s: shim and GRUB as Debian signs them, by TFTP', async (_, firmware) => {
    requireClient(shim, grub)
    const booted = await bootGuest(bench, {
      firmware,
      loaders: signedChain,
      advice: () => ({ bootFile: 'shimx64.efi', nextServer: '192.0.2.1' }),
    })
    await booted.machine.output.waitFor(/GRUB/, 120_000)
    await expectInstall(booted)
  })

  test('x64: ipxe.efi by TFTP, then the script that finds the guest by itself', async () => {
    requireClient(ipxe)
    const booted = await bootGuest(bench, {
      firmware: 'uefi',
      loaders: { 'ipxe.efi': ipxe },
      advice: ({ url }) => ({
        bootFile: 'ipxe.efi',
        nextServer: '192.0.2.1',
        ipxeFile: `${url}/boot.ipxe`,
      }),
    })
    await expectInstall(booted)
  })

  test('x64: HTTP Boot, not one packet of TFTP', async () => {
    requireClient(ipxe)
    const booted = await bootGuest(bench, {
      firmware: 'uefi-http',
      loaders: { 'ipxe.efi': ipxe },
      config: { tftp: { enabled: false } },
      advice: ({ url }) => ({ httpUrl: `${url}/ipxe.efi`, ipxeFile: `${url}/boot.ipxe` }),
    })
    await expectInstall(booted)
  })

  /** Debian's signed GRUB has no HTTP inside. */
  test('x64: HTTP Boot of GRUB, which waits for none of the files that are not there', async () => {
    requireClient(...grubImageNeeds)
    const booted = await bootGuest(bench, {
      firmware: 'uefi-http',
      loaders: { 'grubx64.efi': makeGrub(bench.folder, ['http']) },
      config: { tftp: { enabled: false } },
      advice: ({ url }) => ({ httpUrl: `${url}/grubx64.efi` }),
    })
    await booted.machine.output.waitFor(/guest: booted with/, 230_000)
    const requests = requestsOf(booted.treeboot)
    const loading = requests.slice(0, requests.findIndex(({ path }) => path.endsWith('/initrd.img')) + 1)
    expect(loading.filter(({ outcome }) => outcome !== 'complete').length).toBeGreaterThan(3)
    // It waits 34 s for the end of a response that it does not understand.
    const pauses = loading
      .slice(1)
      .map(({ path, beganMs }, i) => ({ path, ms: beganMs - (loading[i]?.endedMs ?? 0) }))
    expect(pauses.filter(({ ms }) => ms > 20_000)).toEqual([])
    await expectInstall(booted)
  })
})

describe('UEFI on arm64', () => {
  let bench: Bench

  beforeEach(() => {
    requireRoot()
    requireClient('qemu-system-aarch64', 'dnsmasq', 'ip', 'curl', '/usr/share/AAVMF/AAVMF_CODE.fd')
    bench = makeBench()
    return () => bench.undo.unwind()
  })
  test('shim and GRUB as Debian signs them, by TFTP', async () => {
    // Debian has these loaders in packages for arm64 only; its installer brings them to every architecture.
    const installer = await labInstaller('arm64')
    const folder = join(installer.folder, 'debian-installer/arm64')
    const booted = await bootGuest(bench, {
      firmware: 'arm64',
      loaders: {
        'shimaa64.efi': join(folder, 'bootnetaa64.efi'),
        'grubaa64.efi': join(folder, 'grubaa64.efi'),
      },
      advice: () => ({ bootFile: 'shimaa64.efi', nextServer: '192.0.2.1' }),
    })
    await booted.machine.output.waitFor(/GRUB/, 120_000)
    await expectInstall(booted)
  })
})
