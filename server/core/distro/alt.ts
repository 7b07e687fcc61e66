import type { Family } from './record.ts'

export const alt = {
  distros: {
    alt: {
      name: 'ALT',
      aliases: ['altlinux', 'basealt'],
      family: /\balt\b/,
      installer: 'unknown',
      rolling: { sisyphus: 5 },
      efi: { folder: 'altlinux', shim: 'shim$cpu.efi' },
    },
  },
  // `full.cz` is the initrd of its installer and live systems since 2008, `all.rdz` that of older ones.
  layouts: [
    { kernel: /^(?:(?:sys|iso)linux\/)?alt\d\/vmlinuz$/, initrds: ['full.cz', 'all.rdz'], family: 'ALT' },
    { kernel: /^(?:boot|EFI\/BOOT)\/vmlinuz$/, initrds: ['full.cz'], family: 'ALT' },
  ],
  folders: ['syslinux', 'EFI', 'BOOT'],
  folderNames: /alt\d/,
} as const satisfies Family
