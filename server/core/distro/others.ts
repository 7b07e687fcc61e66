import type { Family } from './record.ts'

/**
 * Distributions that share neither packages nor installer with a larger family. Of most of them treeboot knows kernel
 * and initrd, and their arguments are the operator's.
 */
export const others = {
  distros: {
    slackware: { name: 'Slackware', aliases: ['slackwarelinux'], family: /slackware/, installer: 'unknown' },
    nixos: { name: 'NixOS', family: /nixos/, installer: 'unknown' },
    flatcar: {
      name: 'Flatcar Container Linux',
      aliases: ['flatcarcontainerlinux', 'flatcarlinux'],
      family: /flatcar/,
      installer: 'unknown',
    },
    talos: { name: 'Talos Linux', aliases: ['taloslinux'], family: /\btalos\b/, installer: 'unknown' },
    harvester: { name: 'Harvester', aliases: ['harvesterhci'], family: /harvester/, installer: 'unknown' },
  },
  layouts: [
    // Slackware has one initrd for all its kernels. `hugesmp.s` is for 32-bit CPUs, `huge.s` for 64-bit ones.
    ...['hugesmp\\.s', 'huge\\.s', 'generic\\.s', 'bare\\.i'].map((flavour) => ({
      kernel: new RegExp(`^kernels/${flavour}/bzImage$`),
      initrds: ['/isolinux/initrd.img'],
      family: 'Slackware',
    })),
    {
      kernel: /^kernels\/[\w-]+\/z?Image-(?<v>\w+)$/,
      initrds: ['/isolinux/initrd-$v.img', '/installer/initrd-$v.img'],
      family: 'Slackware',
    },
    {
      kernel: /^flatcar_production_pxe\.vmlinuz$/,
      initrds: ['flatcar_production_pxe_image.cpio.gz'],
      family: 'Flatcar Container Linux',
    },
    {
      kernel: /^(?:vmlinuz|kernel)-(?<arch>amd64|arm64)$/,
      initrds: ['initramfs-$arch.xz'],
      family: 'Talos Linux',
    },
  ],
  folders: ['kernels', 'installer', 'versatile'],
  folderNames: /hugesmp\.s|huge\.s|generic\.s|bare\.i|armv\d/,
  kernelNames: /flatcar_production_pxe\.vmlinuz|(?:vmlinuz|kernel)-(?:amd64|arm64)/,
} as const satisfies Family
