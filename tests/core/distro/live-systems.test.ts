import { describe, expect, test } from 'vitest'
import { formatCmdline } from '../../../server/core/boot/kernel-args.ts'
import { planTree } from '../../../server/core/boot/plan-tree.ts'
import type { Distro } from '../../../server/core/distro/distro.ts'
import type { Tree } from '../../../server/core/tree/tree.ts'
import { makeGuest, makeTree, urls } from '../../support/boot-inputs.ts'

const web = 'http://192.0.2.1:8080'

interface Live {
  readonly distro: Distro
  readonly version?: string
  readonly kernel: string
  readonly stage2?: string
  readonly iso?: true
}

function cmdline(
  { distro, version = '1', kernel, stage2, iso }: Live,
  at = urls,
  args: readonly string[] = [],
): string {
  const { stage2: _, ...plain } = makeTree('live', {
    distro,
    version,
    repositories: [],
    platforms: { x86_64: { kernel, initrd: kernel.replace(/[^/]*$/, 'initrd'), others: {} } },
    ...(iso && { origin: { kind: 'iso', path: '/srv/live.iso', name: 'live.iso' } }),
  })
  const tree: Tree = { ...plain, ...(stage2 !== undefined && { stage2 }) }
  const guest = makeGuest('web01', { template: 'x', args })
  const plan = planTree(tree, { urls: at, virt: 'hvm', guest })
  return plan.kind === 'install' ? formatCmdline(plan.args) : `refused: ${plan.why}`
}

describe('casper without an installer that reads answer files', () => {
  test('takes its image over HTTP, or its folder over NFS', () => {
    const mint = { distro: 'mint', kernel: 'casper/vmlinuz', stage2: 'casper/filesystem.squashfs' } as const
    expect(cmdline({ ...mint, iso: true })).toBe(
      `boot=casper url=${web}/trees/live.iso cloud-config-url=/dev/null ip=dhcp`,
    )
    expect(cmdline(mint)).toBe('boot=casper netboot=nfs nfsroot=192.0.2.1:/trees/live ip=dhcp')
  })

  test('has its folder named where that is not casper', () => {
    const folder = 'casper_pop-os_22.04_amd64_intel_debug_40'
    expect(cmdline({ distro: 'pop', kernel: `${folder}/vmlinuz.efi`, iso: true })).toContain(
      ` live-media-path=/${folder} `,
    )
    expect(cmdline({ distro: 'pop', kernel: 'casper/vmlinuz.efi', iso: true })).not.toContain(
      'live-media-path',
    )
  })

  test('is refused while nothing could give it its medium', () => {
    expect(cmdline({ distro: 'elementary', kernel: 'casper/vmlinuz' }, { http: web })).toMatch(
      /^refused: .*the nfs service is closed/,
    )
  })
})

describe('the netboot tarball of Ubuntu', () => {
  test.each(['amd64/linux', 's390x/linux.ubuntu', 's390x/kernel.ubuntu'])(
    '%s has no live system: the guest has to name an ISO, and it is not mounted over NFS',
    (kernel) => {
      const tarball = { distro: 'ubuntu', version: '24.04', kernel } as const
      expect(cmdline(tarball)).toMatch(/^refused: .*it has no live system.*url=/)
      expect(cmdline(tarball, urls, ['url=http://192.0.2.9/live.iso'])).toBe(
        `ip=dhcp autoinstall ds=nocloud-net;s=${web}/ks/web01/ url=http://192.0.2.9/live.iso`,
      )
    },
  )
})

test('a disc of Ubuntu for s390x has a live system, which is mounted', () => {
  expect(cmdline({ distro: 'ubuntu', version: '24.04', kernel: 'boot/kernel.ubuntu' })).toContain('nfsroot=')
})

describe('live-boot', () => {
  test.each([
    ['debian', 'live/vmlinuz', 'live/filesystem.squashfs'],
    ['kali', 'live/vmlinuz', 'live/filesystem.squashfs'],
    ['lmde', 'live/vmlinuz', 'live/filesystem.squashfs'],
    ['grml', 'boot/grml64full/vmlinuz', 'live/grml64-full/grml64-full.squashfs'],
  ] as const)('%s fetches its file system', (distro, kernel, stage2) => {
    expect(cmdline({ distro, kernel, stage2 })).toBe(`boot=live components fetch=${web}/trees/live/${stage2}`)
    expect(cmdline({ distro, kernel })).toBe('')
  })

  test('is not what the installer on the same disc is', () => {
    expect(cmdline({ distro: 'debian', kernel: 'install.amd/vmlinuz' })).toContain('preseed/url=')
  })
})

test.each(['fedora', 'centos', 'rocky'] as const)('a live system of %s is not anaconda', (distro) => {
  expect(cmdline({ distro, version: '20', kernel: 'isolinux/vmlinuz0' })).toBe(
    `root=live:${web}/trees/live/LiveOS/squashfs.img rd.live.image ip=dhcp`,
  )
  expect(cmdline({ distro, version: '20', kernel: 'isolinux/vmlinuz' })).toContain('inst.')
})

test.each([
  ['boot/vmlinuz-lts', `modloop=${web}/trees/live/boot/modloop-lts alpine_repo=${web}/trees/live/apks`],
  ['netboot/vmlinuz-virt', `modloop=${web}/trees/live/netboot/modloop-virt`],
  ['vmlinuz-lts', `modloop=${web}/trees/live/modloop-lts`],
])('Alpine takes its modules from the folder of %s', (kernel, args) => {
  const repository = 'alpine_repo=http://192.0.2.9/alpine/v3.20/main'
  const own = args.includes('alpine_repo') ? [] : [repository]
  const expected = ['ip=dhcp', args, `apkovl=${web}/ks/web01`, ...own].join(' ')
  expect(cmdline({ distro: 'alpine', kernel }, urls, own)).toBe(expected)
})
