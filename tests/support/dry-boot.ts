import { join } from 'node:path'
import { loadSnapshot } from '../../server/catalog/load-snapshot.ts'
import type { Snapshot } from '../../server/catalog/snapshot.ts'
import type { TestCpu } from '../../server/core/boot/test-firmware.ts'
import type { OpenServices } from '../../server/core/boot/urls.ts'
import type { GuestState } from '../../server/core/guest/state.ts'
import type { MachinesToRead } from '../../server/dryboot/dry-machines.ts'
import type { Step, TriedBoot } from '../../server/dryboot/steps.ts'
import { type TryOptions, type TryParts, tryBoot } from '../../server/dryboot/try-boot.ts'
import { LoaderMemory } from '../../server/machines/loader-memory.ts'
import { noMachines } from '../../server/machines/no-machines.ts'
import { kernelHeads } from './kernel-heads.ts'
import { makeTree, type TreeShape, writeBelow } from './made-tree.ts'
import { sharedRenderer } from './renderer.ts'

/** A folder of treeboot with loaders that look like real ones, and boots of its guests that are tried. */

/** The head of a UEFI program, and a text in it. */
export function efiFile({
  cpu = 'x64',
  signed = true,
  text = '',
}: {
  cpu?: TestCpu
  signed?: boolean
  text?: string
} = {}): Uint8Array {
  const bytes = Buffer.alloc(2048)
  bytes.write('MZ')
  bytes.writeUInt32LE(0x80, 0x3c)
  bytes.write('PE\0\0', 0x80, 'latin1')
  bytes.writeUInt16LE(cpu === 'x64' ? 0x8664 : 0xaa64, 0x84)
  // PE32+, whose fifth directory is that of certificates.
  bytes.writeUInt16LE(0x20b, 0x98)
  if (signed) bytes.writeUInt32LE(1472, 0x98 + 112 + 4 * 8 + 4)
  bytes.write(text, 1024, 'latin1')
  return bytes
}

/** As Debian 12's signed GRUB has it (2.06-13+deb12u2). */
export const debianSbat =
  'sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n' +
  'grub,5,Free Software Foundation,grub,2.06,https://www.gnu.org/software/grub/\n' +
  'grub.debian,5,Debian,grub2,2.06-13+deb12u2,https://tracker.debian.org/pkg/grub2\n'

/** Each loader that the tests send, by its name below `tftpboot/`. */
export const loaderTexts: Readonly<Record<string, string | Uint8Array>> = {
  'undionly.kpxe': 'iPXE',
  'pxelinux.0': 'PXELINUX',
  'ldlinux.c32': 'its core',
  'snponly.efi': efiFile({ signed: false }),
  'snponly-arm64.efi': efiFile({ cpu: 'arm64', signed: false }),
  'shimx64.efi': efiFile(),
  'grubx64.efi': efiFile({ text: debianSbat }),
  'shimaa64.efi': efiFile({ cpu: 'arm64' }),
  'grubaa64.efi': efiFile({ cpu: 'arm64', text: `\0/debian-installer/arm64/grub\0\n${debianSbat}` }),
}

/** A tree with kernels that have real headers, and the list of its packages. */
export function makeBootableTree(folder: string, id: string, shape: TreeShape = {}): void {
  const tree = join(folder, 'trees', id)
  makeTree(tree, { ...shape, checksums: false })
  const wanted = shape.arch === 'aarch64' ? 'arm64' : 'amd64'
  const head = kernelHeads().get(wanted)
  if (!head) throw new Error(`no kernel for ${wanted} among the fixtures`)
  writeBelow(tree, 'images/pxeboot/vmlinuz', head.head)
  writeBelow(tree, 'repodata/repomd.xml', '<repomd/>')
}

export const allServices: OpenServices = {
  http: { port: 8080 },
  tftp: { port: 69 },
  ftp: { port: 21 },
  nfs: { port: 2049, mountPort: 2049 },
  dhcp: { port: 67 },
}

export function readFolder(folder: string): Promise<Snapshot> {
  return loadSnapshot({ cwd: folder, settle: { quietMs: 1 } })
}

/** Machines of which only these states are known. */
export function machinesWith(states: Readonly<Record<string, GuestState>> = {}): MachinesToRead {
  return { ...noMachines, stateOf: (guest) => states[guest], loaders: new LoaderMemory() }
}

/** Tries boots of a guest of this folder. This machine's own packages do not count. */
export async function tryIn(
  folder: string,
  guest: string,
  options: TryOptions = {},
  parts: Partial<TryParts> = {},
): Promise<TriedBoot[]> {
  const snapshot = parts.snapshot ?? (await readFolder(folder))
  const found = snapshot.guests.byName(guest)
  if (!found) throw new Error(`no guest ${guest}: ${JSON.stringify(snapshot.problems)}`)
  return tryBoot(found, options, {
    snapshot,
    services: allServices,
    machines: machinesWith(),
    renderer: sharedRenderer,
    who: { protocol: 'internal', address: '127.0.0.1', localAddress: '192.0.2.1' },
    seen: [],
    hostLoaders: [],
    ...parts,
  })
}

/** What was asked for and came, in the order in which it was asked: `tftp pxelinux.0`. */
export function pathsOf({ steps }: TriedBoot): string[] {
  return steps
    .filter(({ path, outcome }) => path !== undefined && outcome === 'ok')
    .map(({ protocol, asked }) => `${protocol} ${asked}`)
}

/** The step that ended the boot. */
export function failureOf({ ok, steps }: TriedBoot): Step | undefined {
  return ok ? undefined : steps.at(-1)
}
