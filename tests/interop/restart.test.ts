import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../server/emulator/child.ts'
import { type DhcpAdvice, startDnsmasq } from '../../server/emulator/dnsmasq.ts'
import { type Lan, makeLan } from '../../server/emulator/lan.ts'
import { type MachineFirmware, startMachine } from '../../server/emulator/machine.ts'
import { requireClient, requireRoot } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { biosDisk, installedShims, uefiDisk, uefiDiskNeeds } from '../support/lab/disk.ts'
import { type Bench, guestImages, makeBench, startTreeboot, type Treeboot } from '../support/lab/lab.ts'
import { labTrees, makeTree } from '../support/lab/trees.ts'

/** The nightly run tries every loader with both signals; each change tries one case for each way of asking again. */
const { EVERY_RESTART: every } = process.env

const mac = '52:54:00:aa:bb:01'
const template = `text
%post
printf 'POST %s HTTP/1.0\\r\\nContent-Length: 0\\r\\n\\r\\n' {{ report_url | quote }} | \\
  busybox nc -w 5 {{ server.host }} {{ server.port }}
echo installed
%end
`

interface Loader {
  readonly firmware: MachineFirmware
  /** What the machine needs on this host, and what of it lies in `tftpboot/`. */
  readonly files: Readonly<Record<string, string>>
  readonly advice: (treeboot: Treeboot) => DhcpAdvice
  /** What the loader's screen shows before it asks again. */
  readonly again: RegExp
  /** It does not ask again within one boot, but restarts the machine. It is sent by treeboot's proxy, which says when. */
  readonly restarts?: true
}

const byTftp = (bootFile: string) => () => ({ bootFile, nextServer: '192.0.2.1' })
const script = ({ url }: Treeboot) => ({ bootFile: `${url}/boot.ipxe` })
/** One file of the package that has OVMF for every UEFI machine here. */
const ovmf = '/usr/share/OVMF/OVMF_CODE_4M.ms.fd'

const loaders = {
  'iPXE under BIOS': {
    firmware: 'bios',
    files: { '': '/usr/lib/ipxe/qemu/pxe-virtio.rom' },
    advice: script,
    again: /treeboot: the boot files could not be fetched; asking treeboot again in 2 s/,
  },
  'iPXE under UEFI': {
    firmware: 'uefi-ipxe',
    files: { '': ovmf },
    advice: script,
    again: /treeboot: the boot files could not be fetched; asking treeboot again in 2 s/,
  },
  'GRUB under UEFI': {
    firmware: 'uefi',
    files: {
      'shimx64.efi': '/usr/lib/shim/shimx64.efi.signed',
      'grubx64.efi': '/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed',
      '': ovmf,
    },
    advice: byTftp('shimx64.efi'),
    again: /treeboot: the boot files could not be loaded; asking treeboot again in 2 s/,
  },
  PXELINUX: {
    firmware: 'bios',
    files: {
      'pxelinux.0': '/usr/lib/PXELINUX/pxelinux.0',
      'ldlinux.c32': '/usr/lib/syslinux/modules/bios/ldlinux.c32',
    },
    advice: () => ({}),
    again: /wait for reset/,
    restarts: true,
  },
} satisfies Record<string, Loader>

/** `every` alone where the case takes more than a minute, or says little that the others do not. */
const cases: readonly (readonly [keyof typeof loaders, 'SIGKILL' | 'SIGTERM', 'always' | 'every'])[] = [
  ['iPXE under BIOS', 'SIGKILL', 'always'],
  ['iPXE under BIOS', 'SIGTERM', 'every'],
  ['iPXE under UEFI', 'SIGKILL', 'every'],
  ['iPXE under UEFI', 'SIGTERM', 'every'],
  ['GRUB under UEFI', 'SIGKILL', 'every'],
  ['GRUB under UEFI', 'SIGTERM', 'every'],
  ['PXELINUX', 'SIGTERM', 'always'],
  ['PXELINUX', 'SIGKILL', 'every'],
]

/** `config` is ours below `/boot/web01/`; at `file` the loader reads it as one of the operator's. */
interface End {
  readonly name: keyof typeof loaders
  readonly config: string
  readonly file: string
  /** Makes it give up soon. */
  readonly hasten: (text: string) => string
  readonly when: 'always' | 'every'
}

const ends: readonly End[] = [
  {
    name: 'iPXE under BIOS',
    config: 'ipxe',
    file: 'boot.ipxe',
    hasten: (text) => text.replace('} 256 &&', '} 4 &&'),
    when: 'every',
  },
  {
    name: 'GRUB under UEFI',
    config: 'grub.cfg',
    file: 'grub/grub.cfg',
    hasten: (text) => `set treeboot_pause=128\n${text}`,
    when: 'every',
  },
  {
    name: 'PXELINUX',
    config: 'pxelinux.cfg',
    file: 'pxelinux.cfg/01-52-54-00-aa-bb-01',
    hasten: (text) => text,
    when: 'always',
  },
]

describe('a machine whose download fails', () => {
  let bench: Bench

  beforeEach(() => {
    requireRoot()
    requireClient('qemu-system-x86_64', 'dnsmasq', 'ip', 'tc', 'curl')
    bench = makeBench()
    return () => bench.undo.unwind()
  })

  async function makeWorld({ files, advice, restarts }: Loader) {
    const tree = makeTree(join(bench.folder, 'trees'), 'fedora', await guestImages())
    writeFileSync(join(bench.folder, 'templates/small.ks'), template)
    for (const [name, from] of Object.entries(files))
      if (name !== '') copyFileSync(from, join(bench.folder, 'tftpboot', name))
    const lan = makeLan(bench.undo)
    const args = ['console=ttyS0', 'quiet']
    const web01 = { mac, tree: labTrees.fedora.id, template: 'small.ks', args }
    const config = restarts
      ? { dhcp: { mode: 'proxy' }, guests: { web01: { ...web01, loader: 'pxelinux' } } }
      : { guests: { web01 } }
    const start = () => startTreeboot(bench, { lan, config, trees: [tree.id] })
    const treeboot = await start()
    await startDnsmasq(bench.undo, lan.addHost('192.0.2.2'), bench.folder, advice(treeboot))
    return { lan, treeboot, start, kernel: `/trees/${tree.id}/${tree.kernel}` }
  }

  test.each(cases.filter(([, , when]) => when === 'always' || every))(
    '%s, %s in the middle of its kernel: it goes on when treeboot is started again',
    async (name, signal) => {
      const loader: Loader = loaders[name]
      for (const file of Object.values(loader.files)) requireClient(file)
      const { lan, treeboot, start, kernel } = await makeWorld(loader)
      const tap = lan.addTap()
      narrow(lan, tap, 'add')
      const network = { tap }
      const options = { firmware: loader.firmware, mac, memory: 768, network, folder: bench.folder }
      let machine = startMachine(bench.undo, options, lan)
      await untilInKernel(lan, tap, treeboot)
      process.kill(treeboot.child.pid, signal)
      await treeboot.child.ended
      const sent = served(treeboot, kernel)
      if (signal === 'SIGTERM') {
        expect(sent).toMatchObject([{ outcome: 'complete' }])
        expect(treeboot.child.output.text).toMatch(/waiting for 1 transfer, at most 60 s/)
      } else expect(sent).toEqual([])
      narrow(lan, tap, 'del')
      const again = await start()
      if (signal === 'SIGKILL') await machine.output.waitFor(loader.again, 400_000)
      if (loader.restarts && signal === 'SIGKILL') {
        // QEMU ends where a machine would begin again: here after the minute of option 211.
        const restart = machine.ended.then(() => 'restarted')
        expect(await Promise.race([restart, setTimeout(240_000, 'still waits', { ref: false })])).toBe(
          'restarted',
        )
        expect(await machine.ended).toBe(0)
        machine = startMachine(bench.undo, options, lan)
      }
      await machine.output.waitFor(/guest post: installed/, 300_000)
      expect(await machine.ended).toBe(0)
      expect(JSON.parse(again.get('/api/v1/guests/web01')).state).toBe('installed')
      // The machine asked for its configuration again, and this was not a second installation.
      const history = again.command('guests', 'show', 'web01')
      expect(history.match(/answer file/g)).toHaveLength(1)
    },
    600_000,
  )

  test.each(ends.filter(({ when }) => when === 'always' || every).map((end) => [end.name, end] as const))(
    '%s: in the end it boots its own disk, and no kernel without its initrd',
    async (name, { config, file, hasten }) => {
      const loader: Loader = loaders[name]
      const files = [...Object.values(loader.files), ...uefiDiskNeeds]
      for (const needed of files) requireClient(needed)
      const { lan, treeboot, kernel } = await makeWorld(loader)
      // Our own configuration for the machine, as if its initrd had gone.
      const url = `tftp://${lan.address}/boot/web01/${config}`
      const ours = run(...lan.inside(['curl', '--silent', '--show-error', '--fail', url]))
      const path = join(bench.folder, 'tftpboot', file)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, hasten(ours.replaceAll('initrd.img', 'gone.img')))
      const bios = loader.firmware === 'bios'
      const disk = bios ? biosDisk(bench.folder) : uefiDisk(bench.folder, [installedShims.debian])
      const machine = startMachine(
        bench.undo,
        {
          firmware: loader.firmware,
          mac,
          memory: 768,
          network: { tap: lan.addTap() },
          folder: bench.folder,
          disk: disk.drive,
        },
        lan,
      )
      await machine.output.waitFor(new RegExp(disk.line), 300_000)
      expect(machine.output.text).not.toMatch(/guest:|Kernel panic/)
      // The kernel was loaded.
      expect(served(treeboot, kernel)).not.toEqual([])
    },
    600_000,
  )
})

/** Lets the line to a machine carry 2 MB in a second, or everything again. */
function narrow(lan: Lan, tap: string, what: 'add' | 'del'): void {
  const queue = what === 'add' ? ['tbf', 'rate', '16mbit', 'burst', '64k', 'limit', '512k'] : []
  run(...lan.inside(['tc', 'qdisc', what, 'dev', tap, 'root', ...queue]))
}

/** Waits until the machine has its configuration and a part of the kernel. */
async function untilInKernel(lan: Lan, tap: string, treeboot: Treeboot): Promise<void> {
  await treeboot.child.output.waitFor(/^\{.*"type":"boot".*"guest":"web01".*\}$/m, 240_000)
  const sent = () =>
    Number(/Sent (\d+) bytes/.exec(run(...lan.inside(['tc', '-s', 'qdisc', 'show', 'dev', tap])))?.[1])
  const before = sent()
  await eventually(() => expect(sent() - before).toBeGreaterThan(1_500_000), 60_000)
}

/** The ends of the transfers of a path, from the log. */
function served({ child }: Treeboot, path: string): { readonly outcome: string }[] {
  return child.output.text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('"served"') && line.includes(path))
    .map((line) => JSON.parse(line))
}
