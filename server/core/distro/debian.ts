import type { Family } from './record.ts'

/**
 * Debian, and distributions built from it that share its layouts. Ubuntu and Kali have files of their own.
 */
export const debian = {
  distros: {
    devuan: {
      name: 'Devuan',
      family: /devuan/,
      installer: 'debian-installer',
      efi: { folder: 'devuan' },
      template: 'debian.preseed',
      netboot: { archive: 'http://deb.devuan.org/devuan' },
    },
    proxmox: {
      name: 'Proxmox',
      aliases: ['pve', 'proxmoxve'],
      family: /proxmox/,
      installer: 'unknown',
      efi: { folder: 'proxmox', shim: 'shim$cpu.efi' },
    },
    debian: {
      name: 'Debian',
      aliases: ['debiangnulinux', 'debianlinux'],
      // Kali and Ubuntu may name Debian in their family, too.
      family: /^(?!.*(?:kali|ubuntu)).*debian/,
      installer: 'debian-installer',
      longCmdlineSince: { ppc: '10', s390: '12' },
      codenames: {
        squeeze: '6',
        wheezy: '7',
        jessie: '8',
        stretch: '9',
        buster: '10',
        bullseye: '11',
        bookworm: '12',
        trixie: '13',
        forky: '14',
        duke: '15',
      },
      rolling: { stable: 1, testing: 3, sid: 5, unstable: 5 },
      efi: { folder: 'debian', shim: 'shim$cpu.efi' },
      template: 'debian.preseed',
      netboot: {
        archive: 'https://deb.debian.org/debian',
        old: { before: '11', archive: 'http://archive.debian.org/debian' },
      },
    },
  },
  // `install.amd` and its like are folders of Debian's media, `debian-installer` of its netboot.tar.gz.
  layouts: [
    {
      kernel: /^debian-installer\/(?<arch>[^/]+)\/(?:linux|vmlinu[xz])$/,
      initrds: ['initrd.gz'],
      family: 'Debian',
    },
    {
      kernel: /^install\.(?<arch>amd|386|a64|arm|ppc|s390x)\/(?:vmlinu[xz])$/,
      initrds: ['initrd.gz'],
      family: 'Debian',
    },
    {
      kernel: /^install\.(?<of>amd|386)\/xen\/vmlinuz$/,
      initrds: ['initrd.gz'],
      platform: 'xen',
      family: 'Debian',
    },
    { kernel: /^boot\/linux26$/, initrds: ['initrd.img'], family: 'Proxmox' },
  ],
  folders: [
    'debian-installer',
    'install.amd',
    'install.386',
    'install.a64',
    'install.arm',
    'install.ppc',
    'install.s390x',
  ],
  kernelNames: /linux26/,
} as const satisfies Family
