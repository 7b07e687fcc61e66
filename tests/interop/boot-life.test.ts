import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { demoGuest, makeDemoFolder } from '../../server/cli/demo/demo-folder.ts'
import type { Boot } from '../../server/core/boots/boot.ts'
import type { Child } from '../../server/emulator/child.ts'
import { type DhcpAdvice, startDnsmasq } from '../../server/emulator/dnsmasq.ts'
import { type Lan, makeLan } from '../../server/emulator/lan.ts'
import { startMachine } from '../../server/emulator/machine.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import {
  biosDisk,
  type Disk,
  installedShims,
  startedByGrub,
  uefiDisk,
  uefiDiskNeeds,
} from '../support/lab/disk.ts'
import {
  type Bench,
  guestImages,
  labInstaller,
  makeBench,
  startTreeboot,
  type Treeboot,
} from '../support/lab/lab.ts'
import { labTrees, makeTree } from '../support/lab/trees.ts'

const pxelinux = '/usr/lib/PXELINUX/pxelinux.0'
const ldlinux = '/usr/lib/syslinux/modules/bios/ldlinux.c32'
const shim = '/usr/lib/shim/shimx64.efi.signed'
const grub = '/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed'
const ipxeRom = '/usr/lib/ipxe/qemu/pxe-virtio.rom'
/** One file of the package that has OVMF for every UEFI machine here, with Secure Boot and without. */
const ovmf = '/usr/share/OVMF/OVMF_CODE_4M.ms.fd'

const macs = { web01: '52:54:00:aa:bb:01', web02: '52:54:00:aa:bb:02' } as const

/**
 * Reports its end as the Debian template does, whose installer has no client that can POST; then says for whom
 * it was rendered.
 */
const template = `text
network --hostname={{ hostname }}
%post
printf 'POST %s HTTP/1.0\\r\\nContent-Length: 0\\r\\n\\r\\n' {{ report_url | quote }} | \\
  busybox nc -w 5 {{ server.host }} {{ server.port }}
echo installed as {{ hostname }}
%end
`

interface World {
  readonly lan: Lan
  readonly treeboot: Treeboot
}

const nightly = process.env.EVERY_BOOT !== undefined

describe('the life of a guest, as its machine sees it', () => {
  let bench: Bench

  beforeEach(() => {
    requireRoot()
    requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'curl')
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  /** A network with treeboot, two guests of it, and somebody else's DHCP server with its advice. */
  async function makeWorld(
    loaders: Readonly<Record<string, string>>,
    advice: (treeboot: Treeboot) => DhcpAdvice,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<World> {
    const { folder, undo } = bench
    const tree = makeTree(join(folder, 'trees'), 'fedora', await guestImages())
    writeFileSync(join(folder, 'templates/small.ks'), template)
    for (const [to, from] of Object.entries(loaders)) copyFileSync(from, join(folder, 'tftpboot', to))
    const settings = { tree: labTrees.fedora.id, template: 'small.ks', args: ['console=ttyS0', 'quiet'] }
    const guests = Object.fromEntries(
      Object.entries(macs).map(([name, mac]) => [
        name,
        { mac, ...settings, vars: { hostname: `${name}.example` } },
      ]),
    )
    const lan = makeLan(undo)
    const treeboot = await startTreeboot(bench, { lan, config: { guests, ...more }, trees: [tree.id] })
    await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder, advice(treeboot))
    return { lan, treeboot }
  }

  const stateOf = (treeboot: Treeboot, guest: string): unknown =>
    JSON.parse(treeboot.get(`/api/v1/guests/${guest}`)).state

  describe('installed, its second boot from the network goes to the local disk', () => {
    /** What every loader shows before it starts the disk. */
    const installedSince = /treeboot: web01 is installed since \d{4}-\d\d-\d\d \d\d:\d\d UTC/

    /**
     * Boots a machine with a disk: it installs and powers off; at each later boot `disk` must say its line and power
     * off.
     */
    async function expectInstallThenDisk(
      { lan, treeboot }: World,
      firmware: 'bios' | 'uefi',
      disk: Disk,
      laterBoots = 1,
    ): Promise<void> {
      const tap = lan.addTap()
      // UEFI keeps its loaders in memory beside the initrd; with less, GRUB runs out of memory.
      const memory = firmware === 'bios' ? 512 : 768
      const { folder } = bench
      const options = {
        firmware,
        mac: macs.web01,
        memory,
        network: { tap },
        folder,
        disk: disk.drive,
      } as const
      const first = startMachine(bench.undo, options, lan)
      await first.output.waitFor(/guest post: installed as web01\.example/, 300_000)
      expect(await first.ended).toBe(0)
      expect(first.output.text).not.toContain(disk.line)
      expect(stateOf(treeboot, 'web01')).toBe('installed')

      for (let boot = 0; boot < laterBoots; boot++) {
        const later = startMachine(bench.undo, options, lan)
        await later.output.waitFor(installedSince, 180_000)
        await later.output.waitFor(new RegExp(disk.line), 180_000)
        expect(await later.ended).toBe(0)
        expect(later.output.text).not.toContain('guest:')
        expect(later.output.text).not.toContain('error: no such')
        expect(startedByGrub(later.output.text)).toEqual(disk.loader === undefined ? [] : [disk.loader])
      }
      expect(stateOf(treeboot, 'web01')).toBe('installed')
      expect(stateOf(treeboot, 'web02')).toBe('install')
    }

    test('BIOS, PXELINUX', async () => {
      requireClient(pxelinux, ldlinux)
      const world = await makeWorld({ 'pxelinux.0': pxelinux, 'ldlinux.c32': ldlinux }, () => ({
        bootFile: 'pxelinux.0',
        nextServer: '192.0.2.1',
      }))
      await expectInstallThenDisk(world, 'bios', biosDisk(bench.folder))
    }, 600_000)

    test('BIOS, iPXE', async () => {
      requireClient(ipxeRom)
      const world = await makeWorld({}, ({ url }) => ({ bootFile: `${url}/boot.ipxe` }))
      await expectInstallThenDisk(world, 'bios', biosDisk(bench.folder))
    }, 600_000)

    /**
     * The DHCP server knows nothing of booting and names itself as next server; iPXE ends in the host's GRUB.
     * Either iPXE has the name that treeboot offers to UEFI first.
     */
    test.each([
      ['/usr/lib/ipxe/snponly.efi', 'debian'],
      ['/usr/lib/ipxe/ipxe.efi', 'fedora'],
    ] as const)(
      'UEFI by ProxyDHCP, %s, to the disk of %s',
      async (file, installed) => {
        requireClient(ovmf, file, grub, ...uefiDiskNeeds)
        const world = await makeWorld({ 'snponly.efi': file }, () => ({}), { dhcp: { mode: 'proxy' } })
        await expectInstallThenDisk(world, 'uefi', uefiDisk(bench.folder, [installedShims[installed]]))
      },
      600_000,
    )

    test('UEFI, shim and GRUB as Debian signs them, twice to the disk of SUSE', async () => {
      requireClient(ovmf, shim, grub, ...uefiDiskNeeds)
      const world = await makeWorld({ 'shimx64.efi': shim, 'grubx64.efi': grub }, () => ({
        bootFile: 'shimx64.efi',
        nextServer: '192.0.2.1',
      }))
      await expectInstallThenDisk(world, 'uefi', uefiDisk(bench.folder, [installedShims.suse]), 2)
    }, 600_000)
  })

  test('held, and without a system on its disk, it asks again until the operator wants it installed', async () => {
    requireClient(ipxeRom)
    const { lan, treeboot } = await makeWorld({}, ({ url }) => ({ bootFile: `${url}/boot.ipxe` }))
    treeboot.command('hold', 'web01')
    const network = { tap: lan.addTap() }
    const empty = join(bench.folder, 'empty.img')
    writeFileSync(empty, Buffer.alloc(1 << 20))
    const machine = startMachine(
      bench.undo,
      { firmware: 'bios', mac: macs.web01, memory: 512, network, disk: `file=${empty}` },
      lan,
    )
    await machine.output.waitFor(
      /treeboot: web01 is held: by the operator; to install: treeboot install web01/,
      180_000,
    )
    await machine.output.waitFor(/treeboot: the disk does not start; asking treeboot again in 20 s/, 60_000)
    expect(stateOf(treeboot, 'web01')).toBe('held')
    treeboot.command('install', 'web01')
    await machine.output.waitFor(/guest post: installed as web01\.example/, 300_000)
    expect(await machine.ended).toBe(0)
    expect(stateOf(treeboot, 'web01')).toBe('installed')
  }, 600_000)

  test('two guests that boot at once from one signed GRUB each get their own plan', async () => {
    requireClient(ovmf, shim, grub)
    const { lan, treeboot } = await makeWorld({ 'shimx64.efi': shim, 'grubx64.efi': grub }, () => ({
      bootFile: 'shimx64.efi',
      nextServer: '192.0.2.1',
    }))
    const names = ['web01', 'web02'] as const
    const booting = names.map((name) => ({
      name,
      machine: startMachine(
        bench.undo,
        {
          firmware: 'uefi',
          mac: macs[name],
          memory: 768,
          network: { tap: lan.addTap() },
          folder: bench.folder,
        },
        lan,
      ),
    }))
    const digests = await Promise.all(
      booting.map(async ({ name, machine: { output, ended } }) => {
        await output.waitFor(/Welcome to GRUB/, 300_000)
        const [, url, digest] = await output.waitFor(/guest: answers (\S+) sha256 ([0-9a-f]{64})/, 300_000)
        expect(url).toBe(`${treeboot.url}/ks/${name}`)
        await output.waitFor(new RegExp(`guest post: installed as ${name}\\.example`), 60_000)
        expect(output.text).toMatch(new RegExp(`guest: address \\S+ mac ${macs[name]}`))
        expect(await ended).toBe(0)
        const answers = treeboot.get(`/ks/${name}`)
        expect(answers).toContain(`--hostname=${name}.example`)
        expect(digest).toBe(createHash('sha256').update(answers).digest('hex'))
        return digest
      }),
    )
    expect(new Set(digests).size).toBe(2)
    for (const name of names) expect(stateOf(treeboot, name)).toBe('installed')
  }, 700_000)

  // The demo boots the same installer for each change.
  test.runIf(nightly)(
    'the real Debian installer boots through ProxyDHCP, fetches its preseed and logs to us',
    async () => {
      requireClient(ipxeRom)
      const { folder, undo } = bench
      const templates = join(folder, 'templates')
      cpSync(join(import.meta.dirname, '../../kickstart-templates'), templates, { recursive: true })
      const installer = await labInstaller('amd64')
      // Only its tree is used, not its configurations.
      const { tree, mac } = makeDemoFolder(folder, installer, templates)
      const lan = makeLan(undo)
      const guest = {
        mac,
        tree,
        template: 'debian.preseed',
        // The text frontend writes lines instead of drawing boxes, which a serial line shows best.
        args: ['console=ttyS0', 'quiet', 'DEBIAN_FRONTEND=text', 'log_host=192.0.2.1', 'log_port=514'],
        vars: { hostname: 'demo.example', mirror_url: 'http://ftp.debian.org/debian' },
      }
      const config = {
        dhcp: { mode: 'proxy' },
        syslog: { enabled: true },
        guests: { [demoGuest.name]: guest },
      }
      const treeboot = await startTreeboot(bench, { lan, config, trees: [tree] })
      // A router and name server without which the installer stops to ask; of booting it says nothing.
      const dhcp = await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder, { gateway: '192.0.2.1' })
      const machine = startMachine(
        undo,
        { firmware: 'bios', mac, memory: 1024, network: { tap: lan.addTap() } },
        lan,
      )
      await treeboot.child.output.waitFor(/boot\.ipxe for ipxe-bios/, 120_000)
      const served = await servedOrEnded(treeboot, machine, /^\{.*"path":"\/ks\/demo".*\}$/m)
      expect(JSON.parse(served)).toMatchObject({ type: 'served', protocol: 'http', outcome: 'complete' })
      expect(machine.output.text).toMatch(/iPXE/)
      expect(dhcp.output.text).toMatch(new RegExp(`DHCPACK\\(eth0\\) \\S+ ${mac}`))
      expect(dhcp.output.text).not.toMatch(/bootfile name|next server: 192\.0\.2\.1\b/)
      expect(stateOf(treeboot, demoGuest.name)).toBe('installing')
      // Its syslogd has the address of the machine by now.
      await eventually(() => {
        const [listed] = JSON.parse(treeboot.command('boots', '--json', '--guest', demoGuest.name)) as Boot[]
        const shown = treeboot.command('boots', 'show', String(listed?.id ?? 0), '--json')
        const { steps } = JSON.parse(shown) as Pick<Boot, 'steps'>
        const log = steps.find(({ kind }) => kind === 'log')
        expect(log).toMatchObject({ status: 'done', words: expect.stringMatching(/^[\w-]+: \S/) })
        expect(log?.what).toMatch(/\S/)
      }, 120_000)
    },
    600_000,
  )
})

/** A line of the server's log; should the machine end before, what that said last. */
async function servedOrEnded(treeboot: Treeboot, machine: Child, line: RegExp): Promise<string> {
  const gone = machine.ended.then((code) => {
    throw new Error(`the machine ended with ${code}. It said last:\n${machine.output.tail()}`)
  })
  // At the end of the test the machine is stopped, and nobody waits for this any more.
  gone.catch(() => {})
  const [found] = await Promise.race([treeboot.child.output.waitFor(line, 480_000), gone])
  return found
}
