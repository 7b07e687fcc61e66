import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Boot } from '../../server/core/boots/boot.ts'
import { startChild } from '../../server/emulator/child.ts'
import type { Event } from '../../server/events/bus.ts'
import { kindsOf, recordingsFolder, replay } from '../support/boots.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { buildTreeboot, makeBench, treebootMain } from '../support/lab/lab.ts'
import { type RecordedBoot, type RecordedMachine, recordBoot } from '../support/lab/recorded-boot.ts'

/**
 * Real machines, and the timelines that their boots leave. With RECORD_BOOTS=1 the events are kept as
 * `tests/fixtures/boots/*.json`, on which the unit tests stand.
 */

const pxelinux = '/usr/lib/PXELINUX/pxelinux.0'
const ldlinux = '/usr/lib/syslinux/modules/bios/ldlinux.c32'
const shim = '/usr/lib/shim/shimx64.efi.signed'
const grub = '/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed'
const snponly = '/usr/lib/ipxe/snponly.efi'
const ovmf = '/usr/share/OVMF/OVMF_CODE_4M.ms.fd'
const signedChain = { 'shimx64.efi': shim, 'grubx64.efi': grub }

let bench: ReturnType<typeof makeBench>

beforeEach(() => {
  requireRoot()
  requireClient('qemu-system-x86_64', 'dnsmasq', 'ip')
  buildTreeboot()
  bench = makeBench()
  return () => bench.undo.unwind()
})

const isReport = (event: Event): boolean => event.type === 'report' && event.state === 'installed'
const isServed =
  (part: string) =>
  (event: Event): boolean =>
    event.type === 'served' && event.outcome === 'complete' && event.path.includes(part)

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Boots, waits, keeps the recording when that is wanted, and gives the boots of it. */
async function recorded(
  name: string,
  about: string,
  boot: RecordedBoot,
  wait: (booted: RecordedMachine) => Promise<void>,
): Promise<{ readonly boots: readonly Boot[]; readonly booted: RecordedMachine }> {
  const booted = await recordBoot(bench, boot)
  await wait(booted).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${booted.machine.output.tail()}`)
  })
  const events = booted.recorded()
  if (process.env.RECORD_BOOTS !== undefined) {
    mkdirSync(recordingsFolder, { recursive: true })
    const lines = events.map((event) => `    ${JSON.stringify(event)}`).join(',\n')
    const text = `{\n  "about": ${JSON.stringify(about)},\n  "events": [\n${lines}\n  ]\n}\n`
    writeFileSync(join(recordingsFolder, `${name}.json`), text)
  }
  return { boots: replay({ events }, 120_000), booted }
}

const installed = async (booted: RecordedMachine): Promise<void> => {
  await booted.until(isReport, 200_000)
  await pause(500)
}

const fromKernel = ['kernel', 'initrd', 'stage2', 'answer-file', 'packages', 'report', 'end']

describe('boots that end well', () => {
  test('BIOS, PXELINUX by TFTP; then the same machine starts its disk', async () => {
    requireClient(pxelinux, ldlinux)
    const { boots, booted } = await recorded(
      'bios-pxelinux',
      'QEMU 7.2 SeaBIOS with its iPXE ROM, PXELINUX 6.04 by TFTP; dnsmasq 2.90 names it; then a second boot',
      {
        firmware: 'bios',
        loaders: { 'pxelinux.0': pxelinux, 'ldlinux.c32': ldlinux },
        advice: () => ({ bootFile: 'pxelinux.0', nextServer: '192.0.2.1' }),
      },
      async (machine) => {
        const watch = startChild(bench.undo, [
          process.execPath,
          treebootMain,
          ...['watch', 'web01', '--config', machine.configFile],
        ])
        await watch.output.waitFor(/watching web01/, 20_000)
        await installed(machine)
        // One line for each step, as it happens, and one for the state.
        for (const line of ['answer file', 'packages', 'report', 'end'])
          await watch.output.waitFor(new RegExp(`^\\d\\d:\\d\\d:\\d\\d  web01  ${line} `, 'm'), 5000)
        await watch.output.waitFor(/^\d\d:\d\d:\d\d {2}web01 {2}done$/m, 5000)
        machine.again()
        await machine.until(
          (event) => event.type === 'served' && event.decision?.kind === 'boot' && event.decision.localDisk,
        )
      },
    )
    const [first, second] = boots
    expect(first && kindsOf(first)).toEqual(['loader', 'configuration', ...fromKernel, 'disk'])
    expect(first).toMatchObject({ guest: 'web01', state: 'done', macs: ['52:54:00:aa:bb:01'] })
    expect(second && kindsOf(second)).toEqual(['loader', 'configuration', 'disk'])
    expect(boots).toHaveLength(2)
    // The store of the server has the same, as the command shows it.
    const command = [treebootMain, 'boots', '--json', '--config', booted.configFile]
    await pause(2500)
    const listed = JSON.parse(execFileSync(process.execPath, command, { encoding: 'utf8' })) as Boot[]
    expect(listed.map(({ state }) => state)).toEqual(['done', 'done'])
  })

  test('BIOS, iPXE in the ROM, beside a DHCP server that knows nothing of booting', async () => {
    const { boots } = await recorded(
      'proxy-bios-ipxe',
      'QEMU 7.2 iPXE ROM, ProxyDHCP by treeboot, dnsmasq 2.90 gives addresses',
      { firmware: 'bios', proxy: true },
      installed,
    )
    const [boot] = boots
    expect(boots).toHaveLength(1)
    expect(boot && kindsOf(boot)).toEqual(
      expect.arrayContaining(['dhcp-asked', 'dhcp-offered', 'configuration', ...fromKernel]),
    )
    expect(boot).toMatchObject({ state: 'done', firmware: 'ipxe-bios' })
  })

  test('UEFI, iPXE by TFTP, by ProxyDHCP', async () => {
    requireClient(ovmf, snponly)
    const { boots } = await recorded(
      'proxy-uefi-ipxe',
      'OVMF 2022.11 PXE, snponly.efi by TFTP, then its script; ProxyDHCP by treeboot',
      { firmware: 'uefi', proxy: true },
      installed,
    )
    const [boot] = boots
    expect(boots).toHaveLength(1)
    expect(boot && kindsOf(boot)).toEqual(
      expect.arrayContaining(['dhcp-asked', 'dhcp-offered', 'loader', 'configuration', ...fromKernel]),
    )
    expect(boot).toMatchObject({ state: 'done', firmware: 'uefi-x64', loader: 'ipxe' })
  })

  /**
   * EDK2 asks port 4011 when the offer that it chose has no file. It never does after an offer of treeboot, which has
   * one. It does where the DHCP server has a menu of boot servers (PXE 2.1 section 2.2.3), and one of them is treeboot.
   */
  test('UEFI, a boot server that the menu of the DHCP server names: port 4011', async () => {
    requireClient(ovmf, snponly)
    const configFile = join(bench.folder, 'dnsmasq-menu.conf')
    // The DHCP server names the script of iPXE itself.
    const menu = ['pxe-prompt="PXE",0', 'pxe-service=tag:!ipxe,x86-64_EFI,"treeboot",1,192.0.2.1']
    writeFileSync(configFile, `${menu.join('\n')}\n`)
    const { boots } = await recorded(
      'uefi-boot-server',
      'OVMF 2022.11 PXE; the menu of dnsmasq 2.90 names treeboot as boot server of type 1, which is asked at port 4011',
      { firmware: 'uefi', proxy: true, advice: (url) => ({ configFile, ipxeFile: `${url}/boot.ipxe` }) },
      installed,
    )
    const [boot] = boots
    expect(boots).toHaveLength(1)
    expect(boot && kindsOf(boot)).toEqual(
      expect.arrayContaining(['dhcp-asked', 'dhcp-confirmed', 'loader', 'configuration', ...fromKernel]),
    )
    expect(boot?.steps.find(({ kind }) => kind === 'dhcp-confirmed')).toMatchObject({ what: 'snponly.efi' })
    expect(boot).toMatchObject({ state: 'done', guest: 'web01' })
  })

  test('UEFI with Secure Boot: shim and GRUB by TFTP', async () => {
    requireClient(ovmf, shim, grub)
    const { boots } = await recorded(
      'uefi-shim-grub',
      'OVMF 2022.11 with Secure Boot, shim 16.1, GRUB 2.06 of Debian 12, all by TFTP; dnsmasq 2.90 names shim',
      {
        firmware: 'secure',
        loaders: signedChain,
        advice: () => ({ bootFile: 'shimx64.efi', nextServer: '192.0.2.1' }),
      },
      installed,
    )
    const [boot] = boots
    expect(boots).toHaveLength(1)
    expect(boot && kindsOf(boot)).toEqual(['loader', 'configuration', ...fromKernel])
    expect(boot).toMatchObject({ state: 'done', loader: 'grub' })
  })

  test('UEFI HTTP Boot', async () => {
    requireClient(ovmf, snponly)
    const { boots } = await recorded(
      'proxy-uefi-http',
      'OVMF 2022.11 HTTP Boot, snponly.efi by HTTP, then its script; ProxyDHCP by treeboot',
      { firmware: 'uefi-http', proxy: true },
      installed,
    )
    const [boot] = boots
    expect(boots).toHaveLength(1)
    expect(boot && kindsOf(boot)).toEqual(expect.arrayContaining(['loader', 'configuration', ...fromKernel]))
    expect(boot).toMatchObject({ state: 'done', firmware: 'uefi-http-x64' })
  })

  test('kernel and initrd straight into QEMU', async () => {
    const { boots } = await recorded(
      'direct',
      'QEMU 7.2 -kernel and -initrd: treeboot hears of the answer file first',
      { firmware: 'bios', isDirect: true },
      installed,
    )
    expect(boots.map(kindsOf)).toEqual([['stage2', 'answer-file', 'packages', 'report', 'end']])
    expect(boots[0]).toMatchObject({ state: 'done', guest: 'web01' })
  })
})

describe('boots that stop on purpose', () => {
  test('the signed GRUB of Debian 12 beside a proxy', async () => {
    requireClient(ovmf, shim, grub)
    const { boots } = await recorded(
      'proxy-debian-grub',
      'OVMF 2022.11, shim 16.1, GRUB 2.06 of Debian 12, ProxyDHCP by treeboot: GRUB asks the other server',
      { firmware: 'uefi', proxy: true, loaders: signedChain, guest: { loader: 'grub' } },
      async (machine) => {
        await machine.until(isServed('grubx64.efi'), 90_000)
        await pause(15_000)
      },
    )
    expect(boots.map(({ state, reason }) => [state, reason])).toEqual([
      ['gone', 'grub-without-configuration'],
    ])
  })

  test('Secure Boot and an unsigned loader', async () => {
    requireClient(ovmf, snponly)
    const { boots } = await recorded(
      'secure-unsigned-ipxe',
      'OVMF 2022.11 with Secure Boot, snponly.efi of Debian 12, which is not signed',
      {
        firmware: 'secure',
        loaders: { 'snponly.efi': snponly },
        advice: () => ({ bootFile: 'snponly.efi', nextServer: '192.0.2.1' }),
      },
      async (machine) => {
        await machine.until(isServed('snponly.efi'), 90_000)
        await pause(8000)
      },
    )
    expect(boots[0]).toMatchObject({ state: 'gone', reason: 'loader-refused' })
  })

  test('a kernel that panics', async () => {
    const { boots } = await recorded(
      'kernel-panic',
      'QEMU 7.2 iPXE ROM; the kernel is told of an init that does not exist, and panics',
      { firmware: 'bios', proxy: true, guest: { args: ['console=ttyS0', 'rdinit=/none', 'root=/dev/none'] } },
      async (machine) => {
        await machine.until(isServed('initrd.img'), 90_000)
        await pause(12_000)
      },
    )
    expect(boots[0]).toMatchObject({ state: 'stalled', reason: 'kernel-quiet' })
  })

  test('a second stage that is not there', async () => {
    const { boots } = await recorded(
      'stage2-missing',
      'QEMU 7.2 iPXE ROM; inst.repo= names another folder, as an operator may write it',
      {
        firmware: 'bios',
        proxy: true,
        guest: { args: ['console=ttyS0', 'inst.repo=http://192.0.2.1:8080/trees/fedora/39'] },
        config: { http: { port: 8080 } },
      },
      async (machine) => {
        await machine.until((event) => event.type === 'served' && event.path.endsWith('install.img'), 120_000)
        await pause(1000)
      },
    )
    expect(boots[0]).toMatchObject({ state: 'stalled', reason: 'stage2-missing' })
  })
})
