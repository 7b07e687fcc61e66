import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Child } from '../../server/emulator/child.ts'
import { startDnsmasq } from '../../server/emulator/dnsmasq.ts'
import { makeLan } from '../../server/emulator/lan.ts'
import { type MachineFirmware, startMachine } from '../../server/emulator/machine.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { type Bench, guestImages, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import { labTrees, makeTree } from '../support/lab/trees.ts'

const mac = '52:54:00:aa:bb:01'
const uuid = '4c4c4544-0042-3510-8052-b4c04f4a3731'
/** One file of the package that has OVMF for every x64 machine here, with Secure Boot and without. */
const ovmf = '/usr/share/OVMF/OVMF_CODE_4M.ms.fd'

const config = {
  // known-only: only a machine that is recognised as a guest gets a reply.
  dhcp: { mode: 'proxy', 'known-only': true },
  profiles: { base: { args: ['console=ttyS0'], tree: labTrees.fedora.id, template: 'small.ks' } },
  guests: { web01: { mac, profile: 'base', vars: { hostname: 'web01.example' } } },
}

/** Small, and with a line that proves it was rendered for this guest. */
const template = `text
network --hostname={{ vars.hostname }}
%post
echo installed as {{ vars.hostname }}
%end
`

let bench: Bench
let treeboot: Treeboot

function prepare(): () => Promise<void> | void {
  requireRoot()
  requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'curl')
  bench = makeBench()
  writeFileSync(join(bench.folder, 'templates/small.ks'), template)
  return () => bench.undo.unwind()
}

async function expectInstall(machine: Child): Promise<void> {
  const [, cmdline] = await machine.output.waitFor(/guest: booted with (.*)\n/, 120_000)
  expect(cmdline).toContain('console=tty')
  const [, url, digest] = await machine.output.waitFor(/guest: answers (\S+) sha256 ([0-9a-f]{64})/, 60_000)
  expect(url).toMatch(`${treeboot.url}/ks/web01`)
  expect(digest).toBe(createHash('sha256').update(treeboot.get('/ks/web01')).digest('hex'))
  await machine.output.waitFor(/guest post: installed as web01\.example/, 20_000)
  expect(await machine.ended).toBe(0)
}

const offered = (text: RegExp) => treeboot.child.output.waitFor(text, 5000)

/**
 * The address comes from a DHCP server on another computer that knows nothing of booting and names itself as next
 * server, as dnsmasq and most others do; everything else comes from treeboot.
 */
describe('ProxyDHCP beside a DHCP server that knows nothing of booting', () => {
  beforeEach(prepare)

  async function boot(firmware: MachineFirmware, settings: Record<string, unknown> = {}): Promise<Child> {
    const { folder, undo } = bench
    const tree = makeTree(join(folder, 'trees'), 'fedora', await guestImages())
    const lan = makeLan(undo)
    treeboot = await startTreeboot(bench, { lan, config: { ...config, ...settings }, trees: [tree.id] })
    await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder)
    const machine = { firmware, mac, uuid, memory: 768, network: { tap: lan.addTap() }, folder }
    return startMachine(undo, machine, lan)
  }

  const withLoader = (loader: string) => ({ dhcp: { ...config.dhcp, loader } })

  test('BIOS with iPXE in its ROM: a script', async () => {
    requireClient('/usr/lib/ipxe/qemu/pxe-virtio.rom')
    const machine = await boot('bios')
    await expectInstall(machine)
    await offered(/boot\.ipxe for ipxe-bios/)
  })

  test('an unknown machine is selected by its maker, which iPXE tells, and by the CPU that DHCP told', async () => {
    requireClient('/usr/lib/ipxe/qemu/pxe-virtio.rom')
    const match = { 'mac-prefix': '52:54:00', vendor: 'QEMU', arch: 'x86_64' }
    const profiles = { ...config.profiles, keep: { match, auto: 'local' } }
    await boot('bios', { dhcp: { mode: 'proxy' }, guests: {}, profiles })
    const why = /local-disk: .*profile keep has mac-prefix 52:54:00, vendor qemu, arch x86_64/
    await treeboot.child.output.waitFor(why, 60_000)
  })

  test.each(['ipxe', 'pxelinux'])(
    'an unknown machine becomes a guest that is installed once: by %s',
    async (loader) => {
      requireClient('/usr/lib/ipxe/qemu/pxe-virtio.rom', '/usr/lib/PXELINUX/pxelinux.0')
      const lab = { inherits: 'base', match: { 'mac-prefix': '52:54:00' }, auto: 'install' }
      const vars = { hostname: 'web01.example' }
      const profiles = { ...config.profiles, lab: { ...lab, vars } }
      const machine = await boot('bios', { dhcp: { mode: 'proxy', loader }, guests: {}, profiles })
      await machine.output.waitFor(/guest: answers \S+\/ks\/auto-525400aabb01 sha256/, 120_000)
      await machine.output.waitFor(/guest post: installed as web01\.example/, 20_000)
      expect(await machine.ended).toBe(0)
      expect(treeboot.get('/boot/auto-525400aabb01/ipxe')).toMatch(/auto-525400aabb01 began to install/)
    },
  )

  test('BIOS, where PXELINUX is wanted', async () => {
    requireClient('/usr/lib/PXELINUX/pxelinux.0', '/usr/lib/syslinux/modules/bios/ldlinux.c32')
    const machine = await boot('bios', withLoader('pxelinux'))
    await machine.output.waitFor(/PXELINUX/, 60_000)
    await expectInstall(machine)
  })

  test('UEFI by TFTP: iPXE, then its script', async () => {
    requireClient(ovmf, '/usr/lib/ipxe/snponly.efi')
    const machine = await boot('uefi')
    await expectInstall(machine)
    await offered(/snponly\.efi for uefi-x64/)
    await offered(/boot\.ipxe for ipxe-uefi/)
  })

  test('UEFI HTTP Boot: iPXE, then its script', async () => {
    requireClient(ovmf, '/usr/lib/ipxe/snponly.efi')
    const machine = await boot('uefi-http')
    await expectInstall(machine)
    await offered(/http:\/\/192\.0\.2\.1:8080\/snponly\.efi for uefi-http-x64/)
  })
})

const nightly = process.env.EVERY_BOOT !== undefined

/**
 * Debian's GRUB 2.06 asks the server of the DHCP ACK for its configuration, never a proxy. Where Secure Boot
 * needs it, the DHCP server is told by the lines that treeboot prints for it.
 */
describe('a DHCP server that was told by treeboot dhcp-config', () => {
  beforeEach(prepare)

  async function boot(firmware: MachineFirmware, tree: string, args: readonly string[]): Promise<Child> {
    const { folder, undo } = bench
    const lan = makeLan(undo)
    const base = { ...config.profiles.base, tree, args }
    const settings = { ...config, dhcp: { mode: 'off', loader: 'grub' }, profiles: { base } }
    treeboot = await startTreeboot(bench, { lan, config: settings, trees: [tree] })
    const configFile = join(folder, 'dnsmasq.conf')
    writeFileSync(configFile, treeboot.command('dhcp-config', 'dnsmasq'))
    await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder, { configFile })
    const machine = { firmware, mac, memory: 1024, network: { tap: lan.addTap() }, folder }
    return startMachine(undo, machine, lan)
  }

  test('UEFI with Secure Boot enforced: shim, signed GRUB, signed kernel', async () => {
    requireClient(ovmf, '/usr/lib/shim/shimx64.efi.signed')
    requireClient('/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed')
    const { id } = makeTree(join(bench.folder, 'trees'), 'fedora', await guestImages())
    await expectInstall(await boot('secure', id, ['console=ttyS0']))
  })

  // Each change boots arm64 from the host's own shim and GRUB, in pxe-uefi.test.ts.
  test.runIf(nightly)('UEFI arm64: the chain that the tree itself brings', async () => {
    requireClient('qemu-system-aarch64', '/usr/share/AAVMF/AAVMF_CODE.fd')
    const images = await guestImages('arm64')
    const put = (name: string, from: string) => {
      const to = join(bench.folder, 'trees/debian-arm64/debian-installer/arm64', name)
      mkdirSync(dirname(to), { recursive: true })
      copyFileSync(from, to)
    }
    put('linux', images.kernel)
    put('initrd.gz', images.initrd)
    for (const name of ['bootnetaa64.efi', 'grubaa64.efi']) put(name, join(dirname(images.kernel), name))
    await expectInstall(await boot('arm64', 'debian-arm64', ['console=ttyAMA0']))
  })
})
