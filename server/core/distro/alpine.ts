import type { NeededFile } from '../tree/description.ts'
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
      needs,
      fileKeys: ['modloop', 'root'],
      repository: {
        keys: ['alpine_repo', 'root', 'alpine_dev'],
        example: 'alpine_repo=http://MIRROR/alpine/vVERSION/main',
      },
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
function bootArgs({ kernel, fileUrl, answerFile, hasPackages }: BootTree): BootArg[] {
  const modloop = modloopOf(kernel)
  if (modloop === undefined) return []
  return [
    { key: 'ip', value: 'dhcp' },
    { key: 'modloop', value: fileUrl(modloop) },
    ...(kernel.startsWith('boot/') && hasPackages ? [{ key: 'alpine_repo', value: fileUrl('apks') }] : []),
    ...(answerFile === undefined ? [] : [{ key: 'apkovl', value: answerFile }]),
  ]
}

function modloopOf(kernel: string): string | undefined {
  return /^(?:boot\/|netboot\/)?vmlinuz-\w+$/.test(kernel)
    ? kernel.replace('vmlinuz-', 'modloop-')
    : undefined
}

/** Its kernel modules: without them the new root has neither drivers nor file systems. */
function needs(kernel: string): NeededFile | undefined {
  const modloop = modloopOf(kernel)
  return modloop === undefined ? undefined : { what: 'kernel modules', anyOf: [modloop] }
}
