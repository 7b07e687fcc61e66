import type { Family } from './record.ts'

export const ubuntu = {
  distros: {
    ubuntu: {
      name: 'Ubuntu',
      aliases: ['xubuntu', 'kubuntu', 'lubuntu', 'ubuntuserver', 'ubuntulinux'],
      family: /ubuntu/,
      // Ubuntu changed to Subiquity with its live-server images. For versions that had both, the kernel's
      // path decides: in `casper/` or elsewhere. The version decides only while no kernel is known.
      installer: [
        { installer: 'subiquity', kernel: /(^|\/)casper\// },
        { installer: 'debian-installer', kernel: /./ },
        { installer: 'subiquity', since: '20.04' },
        { installer: 'debian-installer' },
      ],
      longCmdlineSince: { ppc: '10', s390: '12' },
      codenames: {
        precise: '12.04',
        trusty: '14.04',
        xenial: '16.04',
        bionic: '18.04',
        focal: '20.04',
        jammy: '22.04',
        noble: '24.04',
        questing: '25.10',
        resolute: '26.04',
      },
      efi: { folder: 'ubuntu', shim: 'shim$cpu.efi' },
      template: 'ubuntu.user-data',
      // The archive has the other architectures elsewhere, at ports.ubuntu.com.
      netboot: { archive: 'http://archive.ubuntu.com/ubuntu', archs: ['x86_64', 'i386'] },
    },
    mint: { name: 'Linux Mint', aliases: ['linuxmint'], family: /\bmint\b/, installer: 'unknown' },
  },
  layouts: [
    {
      kernel: /^ubuntu-installer\/(?<arch>[^/]+)\/(?:linux|vmlinu[xz])$/,
      initrds: ['initrd.gz'],
      family: 'Ubuntu',
    },
    { kernel: /^(?<arch>[^/]+)\/linux$/, initrds: ['initrd', 'initrd.gz'], family: 'Ubuntu' },
    {
      kernel: /^casper\/vmlinuz(?:\.efi)?$/,
      initrds: ['initrd', 'initrd.gz', 'initrd.lz', 'initrd.img'],
      family: 'Ubuntu',
    },
  ],
  folders: ['ubuntu-installer', 'casper'],
  stage2: ['casper/filesystem.squashfs', 'casper/minimal.squashfs'],
} as const satisfies Family
