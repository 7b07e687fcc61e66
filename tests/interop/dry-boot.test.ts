import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { TestFirmware } from '../../server/core/boot/test-firmware.ts'
import type { Step, TriedBoot } from '../../server/dryboot/steps.ts'
import { startDnsmasq } from '../../server/emulator/dnsmasq.ts'
import { makeLan } from '../../server/emulator/lan.ts'
import { type MachineFirmware, startMachine } from '../../server/emulator/machine.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { type Bench, guestImages, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import { labTrees, makeTree } from '../support/lab/trees.ts'

/**
 * What `treeboot try` says that a machine will ask for, beside what the real machine then asks for. Each change boots one
 * machine by PXELINUX, whose files all come by TFTP, and one by iPXE; the nightly run boots the others, too.
 */
const nightly = process.env.EVERY_BOOT !== undefined

const mac = '52:54:00:aa:bb:01'
const ovmf = '/usr/share/OVMF/OVMF_CODE_4M.ms.fd'
const snponly = '/usr/lib/ipxe/snponly.efi'
const shim = '/usr/lib/shim/shimx64.efi.signed'
const grub = '/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed'
const pxelinux = '/usr/lib/PXELINUX/pxelinux.0'
const ldlinux = '/usr/lib/syslinux/modules/bios/ldlinux.c32'

interface Machine {
  readonly what: string
  readonly firmware: MachineFirmware
  readonly tried: TestFirmware
  readonly loader: 'ipxe' | 'pxelinux' | 'grub'
  readonly needs: readonly string[]
}

const machines: readonly (Machine & { readonly always?: true })[] = [
  {
    what: 'BIOS, PXELINUX',
    firmware: 'bios',
    tried: 'ipxe',
    loader: 'pxelinux',
    needs: [pxelinux, ldlinux],
    always: true,
  },
  { what: 'BIOS, iPXE in the ROM', firmware: 'bios', tried: 'ipxe', loader: 'ipxe', needs: [], always: true },
  { what: 'UEFI, iPXE by TFTP', firmware: 'uefi', tried: 'uefi-x64', loader: 'ipxe', needs: [ovmf, snponly] },
  {
    what: 'UEFI HTTP Boot, iPXE',
    firmware: 'uefi-http',
    tried: 'uefi-http',
    loader: 'ipxe',
    needs: [ovmf, snponly],
  },
  {
    what: 'UEFI, Secure Boot, shim and GRUB',
    firmware: 'secure',
    tried: 'uefi-x64',
    loader: 'grub',
    needs: [ovmf, shim, grub],
  },
]

describe('a boot that is tried asks for what the machine then asks for', () => {
  let bench: Bench
  beforeEach(() => {
    requireRoot()
    requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'curl', '/usr/lib/ipxe/qemu/pxe-virtio.rom')
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  test.each(machines.filter(({ always }) => always || nightly))('$what', async (machine) => {
    for (const need of machine.needs) requireClient(need)
    const { folder, undo } = bench
    const { id } = makeTree(join(folder, 'trees'), 'fedora', await guestImages())
    writeFileSync(join(folder, 'templates/small.ks'), 'text\n%post\necho installed\n%end\n')
    const lan = makeLan(undo)
    const isGrub = machine.loader === 'grub'
    // Debian's GRUB never asks a proxy, so there another DHCP server names the loader.
    const treeboot = await startTreeboot(bench, {
      lan,
      trees: [id],
      config: {
        dhcp: { mode: isGrub ? 'off' : 'proxy', loader: machine.loader },
        guests: { web01: { mac, tree: labTrees.fedora.id, template: 'small.ks', args: ['console=ttyS0'] } },
      },
    })
    const configFile = join(folder, 'dnsmasq.conf')
    if (isGrub) writeFileSync(configFile, treeboot.command('dhcp-config', 'dnsmasq'))
    await startDnsmasq(undo, lan.addHost('192.0.2.2'), folder, isGrub ? { configFile } : {})
    const isSecure = machine.firmware === 'secure' ? ['--secure-boot'] : []
    const tried = JSON.parse(
      treeboot.command('try', 'web01', '--firmware', machine.tried, '--json', ...isSecure),
    )
    const [boot]: TriedBoot[] = tried.boots

    const network = { tap: lan.addTap() }
    const options = { firmware: machine.firmware, mac, memory: 768, network, folder }
    const real = startMachine(undo, options, lan)
    await real.output.waitFor(/guest post: installed/, 200_000)
    expect(await real.ended).toBe(0)

    expect(boot).toMatchObject({ ok: true, end: `installs ${id}` })
    // The log is written a moment after the machine has what it asked for.
    await eventually(() => expect(servedFiles(treeboot)).toEqual(filesOf(boot)))
    expect(missingFiles(treeboot)).toEqual(absentOf(boot))
  })
})

interface Served {
  readonly protocol: string
  readonly path: string
  readonly outcome: string
  readonly kind?: string
  readonly question?: true
  readonly bytes: number
}

/** What the log says of requests for files, but for those of the installer's own system. */
function servedBy({ child }: Treeboot): Served[] {
  return child.output.text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('"type":"served"'))
    .map((line) => JSON.parse(line) as Served)
    .filter(({ path, question }) => !path.startsWith('/api/') && !question)
}

/**
 * The files that were sent to their end, each once: firmware that asks for the size first asks twice. In the order in which
 * they were sent.
 */
function servedFiles(treeboot: Treeboot): string[] {
  const whole = servedBy(treeboot).filter(({ outcome, bytes }) => outcome === 'complete' && bytes > 0)
  return [...new Set(whole.map(named))]
}

/** The files that are not there, each once. */
function missingFiles(treeboot: Treeboot): string[] {
  return [
    ...new Set(
      servedBy(treeboot)
        .filter(({ kind }) => kind === 'not-found')
        .map(named),
    ),
  ]
}

function named({ protocol, path }: { readonly protocol: string; readonly path?: string }): string {
  return `${protocol} ${path}`
}

/** The small system of the lab has no second stage and no packages. */
function ofLab(boot: TriedBoot | undefined): Step[] {
  return (boot?.steps ?? []).filter(
    ({ path, what }) => path !== undefined && what !== 'second stage' && what !== 'repository',
  )
}

/** The files that the tried machine got. */
function filesOf(boot: TriedBoot | undefined): string[] {
  return ofLab(boot)
    .filter(({ outcome }) => outcome === 'ok')
    .map(named)
}

/** Those that it asked for and does without, by the names that it sent: the log has them so. */
function absentOf(boot: TriedBoot | undefined): string[] {
  return ofLab(boot)
    .filter(({ outcome }) => outcome === 'absent')
    .map(({ protocol, asked }) => `${protocol} ${asked}`)
}
