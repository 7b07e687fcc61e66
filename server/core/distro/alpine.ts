import { osinfoNames } from './osinfo.ts'
import type { BootArg, BootTree, Family } from './record.ts'

export const alpine = {
  distros: {
    alpine: {
      name: 'Alpine Linux',
      aliases: ['alpinelinux'],
      family: /alpine/,
      installer: 'unknown',
      bootArgs,
      rolling: { edge: 5 },
      osinfo: osinfoNames('alpinelinux', [
        '3.5',
        '3.6',
        '3.7',
        '3.8',
        '3.9',
        '3.10',
        '3.11',
        '3.12',
        '3.13',
        '3.14',
      ]),
    },
  },
  layouts: [
    {
      // In `boot/` of media and of the netboot tarball, and alone in the folder `netboot/` of a release on mirrors.
      kernel: /^(?:boot\/|netboot\/)?vmlinuz-(?<v>lts|stable|virt|hardened|grsec|vanilla|rpi\d?)$/,
      initrds: ['initramfs-$v', 'initramfs-$v.gz'],
      others: { modloop: 'modloop-$v' },
      family: 'Alpine Linux',
    },
  ],
  folders: ['boot', 'netboot'],
} as const satisfies Family

/**
 * Alpine runs from memory: its kernel modules, packages and overlay come by URL. Without `apks/` in the tree, as in the
 * folder `netboot/` of a mirror, `args` has to name a repository.
 */
function bootArgs({ kernel, fileUrl, answerFile }: BootTree): BootArg[] {
  const [, folder = '', flavour] = /^(boot\/|netboot\/)?vmlinuz-(\w+)$/.exec(kernel) ?? []
  if (flavour === undefined) return []
  return [
    { key: 'ip', value: 'dhcp' },
    { key: 'modloop', value: fileUrl(`${folder}modloop-${flavour}`) },
    ...(folder === 'boot/' ? [{ key: 'alpine_repo', value: fileUrl('apks') }] : []),
    ...(answerFile === undefined ? [] : [{ key: 'apkovl', value: answerFile }]),
  ]
}
