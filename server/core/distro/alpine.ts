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
    },
  },
  layouts: [
    {
      kernel: /^boot\/vmlinuz-(?<v>lts|virt|hardened|grsec|vanilla|rpi\d?)$/,
      initrds: ['initramfs-$v', 'initramfs-$v.gz'],
      family: 'Alpine Linux',
    },
  ],
  folders: ['boot'],
} as const satisfies Family

/** Alpine runs from memory: its kernel modules, packages and overlay come by URL. */
function bootArgs({ kernel, fileUrl, answerFile }: BootTree): BootArg[] {
  const flavour = /^boot\/vmlinuz-(\w+)$/.exec(kernel)?.[1]
  if (flavour === undefined) return []
  return [
    { key: 'ip', value: 'dhcp' },
    { key: 'modloop', value: fileUrl(`boot/modloop-${flavour}`) },
    { key: 'alpine_repo', value: fileUrl('apks') },
    ...(answerFile === undefined ? [] : [{ key: 'apkovl', value: answerFile }]),
  ]
}
