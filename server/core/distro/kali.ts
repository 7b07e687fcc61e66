import type { Family } from './record.ts'

/** Kali keeps Debian's installer and layouts. */
export const kali = {
  distros: {
    kali: {
      name: 'Kali Linux',
      aliases: ['kalilinux'],
      family: /kali/,
      installer: [{ installer: 'live-boot', kernel: /^live\// }, { installer: 'debian-installer' }],
      rolling: { rolling: 5 },
      osinfo: [['0', 'debian10']],
      efi: { folder: 'kali' },
      template: 'debian.preseed',
      netboot: { archive: 'http://http.kali.org/kali', suite: 'kali-rolling' },
    },
  },
} as const satisfies Family
