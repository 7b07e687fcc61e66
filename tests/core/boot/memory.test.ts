import { describe, expect, test } from 'vitest'
import { memoryOf, whyTooSmall } from '../../../server/core/boot/memory.ts'
import { planTree } from '../../../server/core/boot/plan-tree.ts'
import type { Guest } from '../../../server/core/guest/guest.ts'
import type { Tree } from '../../../server/core/tree/tree.ts'
import { renderPlan } from '../../../server/render/render.ts'
import { debian12, fedora40, leap15, makeGuest, makeTree, urls } from '../../support/boot-inputs.ts'

const gib = 1024 ** 3
const casper = { x86_64: { kernel: 'casper/vmlinuz', initrd: 'casper/initrd', others: {} } }
const ubuntu = {
  distro: 'ubuntu',
  version: '24.04',
  platforms: casper,
  stage2: 'casper/minimal.squashfs',
} as const
const noble = makeTree('noble', {
  ...ubuntu,
  origin: { kind: 'iso', path: '/srv/noble.iso', name: 'noble.iso', size: 2.6 * gib },
  sizes: { 'casper/minimal.squashfs': gib },
})
const live = { kernel: 'live/vmlinuz', initrd: 'live/initrd.img', others: {} }
const archiso = { kernel: 'arch/boot/x86_64/vmlinuz-linux', initrd: 'arch/boot/x86_64/i.img', others: {} }
const squashfs = 'live/filesystem.squashfs'
const debianLive = makeTree('live', {
  distro: 'other',
  platforms: { x86_64: live },
  stage2: squashfs,
  sizes: { [squashfs]: 3 * gib },
})

function planOf(tree: Tree, guest?: Guest) {
  const plan = planTree(tree, { urls, virt: 'hvm', ...(guest && { guest }) })
  if (plan.kind !== 'install') throw new Error(plan.why)
  return plan
}

/** A guest whose memory nobody has set. */
function unset(name: string, args: string[] = []): Guest {
  const guest = makeGuest(name, { args })
  const memory = { value: 2048, from: 'default' }
  return { ...guest, settings: { ...guest.settings, virt: { ...guest.settings.virt, memory } } }
}

describe('a virtual machine has memory for what is loaded into it', () => {
  test.each<[string, Tree, string[], number]>([
    ["Ubuntu's ISO", noble, [], 4096],
    [
      "Ubuntu's ISO of 3.4 GB",
      { ...noble, origin: { kind: 'iso', path: '/n', name: 'noble.iso', size: 3.4e9 } },
      [],
      4608,
    ],
    ['a folder of Ubuntu, which is mounted', makeTree('n', { ...ubuntu, sizes: noble.sizes }), [], 2048],
    [
      'the root file system of CoreOS',
      makeTree('fcos', { distro: 'coreos', sizes: { 'images/pxeboot/rootfs.img': 1.6 * gib } }),
      [],
      3072,
    ],
    [
      'the root file system beside the kernel of CoreOS',
      makeTree('fcos', {
        distro: 'coreos',
        platforms: { x86_64: { kernel: 'k', initrd: 'i', others: { rootfs: 'v40-live-rootfs.img' } } },
        sizes: { 'v40-live-rootfs.img': 1.6 * gib },
      }),
      [],
      3072,
    ],
    [
      'the live system of Agama',
      makeTree('leap16', {
        distro: 'opensuse',
        version: '16.0',
        stage2: 'LiveOS/squashfs.img',
        sizes: { 'LiveOS/squashfs.img': 1.4 * gib },
      }),
      [],
      2560,
    ],
    [
      'archiso',
      makeTree('arch', {
        distro: 'arch',
        platforms: { x86_64: archiso },
        stage2: 'arch/x86_64/airootfs.sfs',
        sizes: { 'arch/x86_64/airootfs.sfs': 2 * gib },
      }),
      [],
      3072,
    ],
    [
      'a live image that the operator has fetched',
      debianLive,
      [`boot=live fetch=${urls.http}/trees/live/${squashfs}`],
      4096,
    ],
    ['the same, mounted by NFS', debianLive, ['boot=live netboot=nfs nfsroot=192.0.2.1:/trees/live'], 2048],
    [
      'the second stage of anaconda',
      makeTree('el10', { distro: 'rhel', version: '10.0', sizes: { 'images/install.img': 1.1 * gib } }),
      [],
      2560,
    ],
    ['a small second stage', makeTree('f', { sizes: { 'images/install.img': 0.7 * gib } }), [], 2048],
    ['sizes that are unknown', fedora40, [], 2048],
    ['debian-installer', debian12, [], 2048],
    ['linuxrc', leap15, [], 2048],
  ])('%s', (_name, tree, args, memory) => {
    expect(memoryOf(planOf(tree, unset('a', args)))).toBe(memory)
    if (args.length === 0) expect(memoryOf(planOf(tree))).toBe(memory)
    const xml = renderPlan(planOf(tree, unset('a', args)), 'libvirt')
    expect(xml).toContain(`<memory unit='MiB'>${memory}</memory>`)
    expect(xml).not.toContain('WARNING')
  })

  test('what is set counts, and is told when it is too small, in each definition', () => {
    const plan = planOf(noble, makeGuest('small', { virt: { memory: 3072 } }))
    expect(memoryOf(plan)).toBe(3072)
    expect(whyTooSmall(plan)).toMatch(
      /virt\.memory is 3072 MiB by guest small .*: leave virt\.memory out, or set it to 4096$/,
    )
    for (const as of ['virt-install', 'libvirt', 'xl', 'qemu'] as const)
      expect(renderPlan({ ...plan, guest: makeGuest('small', { virt: { memory: 3072 } }) }, as)).toContain(
        'WARNING: virt.memory is 3072 MiB',
      )
    expect(whyTooSmall(planOf(noble, makeGuest('fits', { virt: { memory: 4096 } })))).toBeUndefined()
  })
})
