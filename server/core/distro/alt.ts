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
  layouts: [{ kernel: /^(?:syslinux\/)?alt0\/vmlinuz$/, initrds: ['full.cz'], family: 'ALT' }],
  folders: ['syslinux', 'alt0'],
} as const satisfies Family
