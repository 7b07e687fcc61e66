import { osinfoNames } from './osinfo.ts'
import type { Family } from './record.ts'

const longCmdlineSince = { ppc: '28', s390: '36' }

/** The kernel of a live system has a number, since such a disc could hold several. */
const liveSystem = { installer: 'dmsquash-live', kernel: /^isolinux\/vmlinuz\d$/ } as const

/** Fedora and what is composed from it: CoreOS, ELN. */
export const fedora = {
  distros: {
    coreos: {
      name: 'Fedora CoreOS',
      aliases: ['fedoracoreos', 'fcos', 'rhcos'],
      family: /core ?os/,
      installer: 'coreos',
      osinfo: [['0', 'fedora-coreos-stable']],
      longCmdlineSince,
    },
    eln: {
      name: 'Fedora ELN',
      aliases: ['fedoraeln'],
      family: /fedora.*\beln\b|^eln\b/,
      installer: 'anaconda',
      instPrefixSince: 'always',
      longCmdlineSince,
      rolling: { eln: 2 },
      template: 'fedora.ks',
    },
    fedora: {
      name: 'Fedora',
      aliases: ['fedoralinux', 'fedoracore', 'fc', 'f'],
      family: /fedora/,
      exceptions: [
        { distro: 'eln', version: /^eln$/ },
        { distro: 'coreos', variant: /core ?os/i },
      ],
      installer: [liveSystem, { installer: 'anaconda' }],
      // anaconda 18 read arguments with and without `inst.`, 19 reads only those with it.
      instPrefixSince: '19',
      longCmdlineSince,
      rolling: { rawhide: 5, development: 5, devel: 5 },
      osinfo: osinfoNames('fedora', [...Array(36).keys()].slice(1)),
      efi: { folder: 'fedora', shim: 'shim$cpu.efi', packaged: true },
      template: 'fedora.ks',
    },
  },
  // Fedora CoreOS publishes its PXE files beside each other, without a tree:
  // fedora-coreos-40-live-kernel-x86_64.
  layouts: [
    {
      kernel: /^(?<v>(?:[\w.-]+-)?)live-kernel[.-](?<arch>\w+)$/,
      initrds: ['$vlive-initramfs.$arch.img', '$vlive-initramfs-$arch.img'],
      others: { rootfs: '$vlive-rootfs.$arch.img' },
      family: 'Fedora CoreOS',
    },
  ],
  stage2: ['images/pxeboot/rootfs.img'],
  kernelNames: /.*live-kernel[.-]\w+/,
} as const satisfies Family
