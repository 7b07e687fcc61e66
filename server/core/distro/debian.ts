import { osinfoNames } from './osinfo.ts'
import type { Family } from './record.ts'

/** Live systems of Debian's live-boot, which starts an installer of its own kind, or none. */
const liveBoot = 'live-boot'

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
    // Built from Debian alone, with a live system; its cousin with Ubuntu's is `mint`.
    lmde: {
      name: 'LMDE',
      aliases: ['linuxmintdebianedition'],
      family: /\blmde\b/,
      installer: liveBoot,
    },
    grml: { name: 'Grml', aliases: ['grmllinux'], family: /\bgrml/, installer: liveBoot },
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
      installer: [{ installer: 'live-boot', kernel: /^live\// }, { installer: 'debian-installer' }],
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
      osinfo: osinfoNames('debian', [4, 5, 6, 7, 8, 9, 10, 11]),
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
      kernel: /^install\.(?<arch>amd|386|a64|ahf|arm|armhf|ppc|s390x)\/(?:vmlinu[xz])$/,
      initrds: ['initrd.gz'],
      family: 'Debian',
    },
    {
      kernel: /^install\.(?<of>amd|386)\/xen\/vmlinuz$/,
      initrds: ['initrd.gz'],
      platform: 'xen',
      family: 'Debian',
    },
    {
      kernel: /^boot\/linux_vm$/,
      initrds: ['root.bin'],
      platform: 's390x',
      others: { 'd390.ins': '/d390.ins', parmfile: 'parmfile' },
      family: 'Debian',
    },
    { kernel: /^boot\/linux26$/, initrds: ['initrd.img'], family: 'Proxmox' },
    // GRML's folders are grml64full, grml32small, grmlfullamd64, ...
    { kernel: /^boot\/grml\w+\/(?:vmlinuz|linux26)$/, initrds: ['initrd.img', 'initrd.gz'], family: 'Grml' },
  ],
  folders: [
    'debian-installer',
    'install.amd',
    'install.386',
    'install.a64',
    'install.ahf',
    'install.arm',
    'install.armhf',
    'install.ppc',
    'install.s390x',
  ],
  folderNames: /grml[\w-]+/,
  kernelNames: /linux26|linux_vm/,
  stage2: [/^live\/(grml[\w-]+)\/\1\.squashfs$/],
} as const satisfies Family
