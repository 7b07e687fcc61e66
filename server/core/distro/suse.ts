import { osinfoNames } from './osinfo.ts'
import type { Family, InstallerRule } from './record.ts'

/**
 * SUSE changed from AutoYaST to Agama with 16. The second rule is for AutoYaST too: openSUSE Leap 42.1 to 42.3
 * is older than 15.0, and a version that is unknown or has no number (`tumbleweed`) counts as older than 16.
 */
const installer = [
  // The kernel of a self-install image, which kiwi's own initrd writes to the disk.
  { installer: 'unknown', kernel: /^pxeboot\./ },
  { installer: 'autoyast', version: /^(?:42|\D|$)/ },
  { installer: 'agama', since: '16' },
  { installer: 'autoyast' },
] as const satisfies readonly InstallerRule[]
const common = {
  installer,
  longCmdlineSince: { ppc: '15', s390: '16' },
  template: { autoyast: 'suse.autoyast.xml', agama: 'suse.agama.json' },
  osinfo: [
    ['10', 'sles10'],
    ['11', 'sles11'],
    ['12', 'sles12'],
    ['15', 'sle15'],
    ['15.1', 'sle15sp1'],
    ['15.2', 'sle15sp2'],
    ['15.3', 'sle15sp3'],
  ],
} as const

/** openSUSE and SUSE Linux Enterprise. The bare `sle` comes last, because its pattern fits the others too. */
export const suse = {
  distros: {
    opensuse: {
      ...common,
      name: 'openSUSE',
      aliases: ['suse', 'leap', 'tumbleweed', 'opensuseleap', 'opensusetumbleweed'],
      family: /open ?suse/,
      // Oldest first.
      rolling: { slowroll: 3, tumbleweed: 4, factory: 5 },
      osinfo: osinfoNames('opensuse', [
        ...['11.4', '12.1', '12.2', '12.3', '13.1', '13.2', '15.0', '15.1', '15.2', '15.3'],
        ...['42.1', '42.2', '42.3', 'tumbleweed'],
      ]),
      efi: { folder: 'opensuse', shim: 'shim.efi' },
    },
    sled: {
      ...common,
      name: 'SUSE Linux Enterprise Desktop',
      aliases: ['suselinuxenterprisedesktop'],
      family: /enterprise[ -]desktop|\bsled\b|sle_?d/,
    },
    sles: {
      ...common,
      name: 'SUSE Linux Enterprise Server',
      aliases: ['suselinuxenterpriseserver'],
      family: /enterprise[ -]server|\bsles|suse_sles/,
      efi: { folder: 'sles', shim: 'shim.efi' },
    },
    slem: {
      ...common,
      name: 'SUSE Linux Micro',
      aliases: ['slemicro', 'suselinuxenterprisemicro'],
      family: /\b(?:suse|sle)\b.*\bmicro\b|\bsle_?m(?:icro)?\b/,
    },
    sle: {
      ...common,
      name: 'SUSE Linux Enterprise',
      aliases: ['suselinuxenterprise', 'slefull'],
      family: /suse[ -]linux|\bsle\b|\bsuse\b|^sle_/,
      covers: ['sles', 'sled'],
    },
  },
  layouts: [
    // Its PCs have boot/x86_64/loader/linux, which is no sign of SUSE: see layouts.ts. vmrdr.ikr is the kernel that
    // z/VM loads from its virtual card reader.
    {
      kernel: /^boot\/(?<arch>[^/]+)\/(?:linux|vmrdr\.ikr)$/,
      initrds: ['initrd'],
      others: { 'suse.ins': '/suse.ins', parmfile: 'parmfile' },
      family: 'openSUSE',
    },
    // `of` names the CPU that this Xen pair is for; its platform is `xen`, not that CPU.
    {
      kernel: /^boot\/(?<of>[^/]+)\/vmlinuz-xen$/,
      initrds: ['initrd-xen'],
      platform: 'xen',
      family: 'openSUSE',
    },
    { kernel: /^boot\/loader\/linux64$/, initrds: ['initrd64'], platform: 'x86_64', family: 'openSUSE' },
    { kernel: /^boot\/loader\/linux$/, initrds: ['initrd'], family: 'openSUSE' },
    { kernel: /^suseboot\/linux64$/, initrds: ['initrd64'], platform: 'ppc64', family: 'openSUSE' },
    // What kiwi packs for the network installation of a disk image (SLE Micro, MicroOS):
    // pxeboot.SLE-Micro.x86_64-5.5.0.kernel.
    {
      kernel: /^pxeboot\.(?<v>[\w.-]+\.(?<arch>[a-z]\w*)-[\d.]+)\.kernel$/,
      initrds: ['pxeboot.$v.initrd', 'pxeboot.$v.initrd.xz'],
    },
    // Harvester, made from SLE Micro: harvester-v1.3.0-vmlinuz-amd64.
    {
      kernel: /^harvester-(?<v>(?:v[\w.-]+-)?)vmlinuz-(?<arch>\w+)$/,
      initrds: ['harvester-$vinitrd-$arch'],
      others: { rootfs: 'harvester-$vrootfs-$arch.squashfs' },
      family: 'Harvester',
    },
  ],
  folders: ['boot', 'loader', 'suseboot'],
  kernelNames: /linux64|pxeboot\.[\w.-]+\.kernel|harvester-[\w.-]+/,
} as const satisfies Family
