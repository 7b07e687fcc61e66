import type { NeededFile } from '../tree/description.ts'
import type { BootArg, BootTree, Family } from './record.ts'

export const arch = {
  distros: {
    arch: {
      name: 'Arch Linux',
      aliases: ['archlinux'],
      family: /\barch ?linux\b/,
      commonWord: true,
      osinfo: [['0', 'archlinux']],
      installer: 'unknown',
      bootArgs,
      needs,
      fileKeys: ['archiso_http_srv', 'archiso_nfs_srv', 'archiso_nbd_srv', 'archisodevice', 'archisolabel'],
    },
  },
  layouts: [
    {
      kernel: /^arch\/boot\/(?<arch>[^/]+)\/vmlinuz-(?<v>linux[\w-]*)$/,
      initrds: ['initramfs-$v.img', 'archiso.img'],
      family: 'Arch Linux',
    },
    { kernel: /^arch\/boot\/(?<arch>[^/]+)\/vmlinuz$/, initrds: ['archiso.img'], family: 'Arch Linux' },
    // Distributions that are made with archiso, or were: it names folder and initrd after them.
    {
      kernel: /^hyperbola\/boot\/(?<arch>[^/]+)\/vmlinuz$/,
      initrds: ['hyperiso.img'],
      family: 'Hyperbola',
    },
    {
      kernel: /^parabola\/boot\/(?<arch>[^/]+)\/vmlinuz$/,
      initrds: ['parabolaiso.img'],
      family: 'Parabola',
    },
    {
      kernel: /^sysresccd\/boot\/(?<arch>[^/]+)\/vmlinuz$/,
      initrds: ['sysresccd.img'],
      family: 'SystemRescue',
    },
  ],
  folders: ['arch', 'hyperbola', 'parabola', 'sysresccd', 'boot'],
  // archiso copies it into memory when it comes by HTTP.
  stage2: ['arch/x86_64/airootfs.sfs', 'arch/aarch64/airootfs.sfs', 'arch/i686/airootfs.sfs'],
} as const satisfies Family

/** The arguments of archiso, the live system of the installation medium. */
function bootArgs({ kernel, url, answerFile }: BootTree): BootArg[] {
  // The kernel of something that only calls itself Arch Linux: these arguments are archiso's.
  if (!kernel.startsWith('arch/')) return []
  return [
    { key: 'archisobasedir', value: 'arch' },
    // archiso appends `arch/...` without a slash of its own.
    { key: 'archiso_http_srv', value: `${url}/` },
    { key: 'ip', value: 'dhcp' },
    ...(answerFile === undefined ? [] : [{ key: 'script', value: answerFile }]),
  ]
}

/** archiso copies it into memory. It is an EROFS since 2020 in some builds, and had other names until 2014. */
function needs(kernel: string): NeededFile | undefined {
  const [, cpu] = /^arch\/boot\/([\w-]+)\//.exec(kernel) ?? []
  if (cpu === undefined) return undefined
  const names = /^(?:airootfs|root-image)\.(?:\w+\.)?(?:sfs|sqfs|erofs|img)$/
  return {
    what: 'live system',
    anyOf: [],
    folder: { path: `arch/${cpu}`, name: names, shown: 'airootfs.sfs' },
  }
}
