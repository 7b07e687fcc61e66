import type { ServerUrls } from '../../server/core/boot/plan.ts'
import type { BootInputs } from '../../server/core/boot/plan-boot.ts'
import type { Guest, Settings, Sourced, VarValue, VirtSettings } from '../../server/core/guest/guest.ts'
import { createGuestIndex } from '../../server/core/guest/match.ts'
import type { NetworkSettings } from '../../server/core/guest/network.ts'
import type { TreeIndex } from '../../server/core/select/select.ts'
import type { Tree } from '../../server/core/tree/tree.ts'

/** Builders for boot inputs: a tree, a guest, URLs. They fill in everything that a test does not set. */

export const urls: ServerUrls = {
  http: 'http://192.0.2.1:8080',
  tftp: 'tftp://192.0.2.1',
  ftp: 'ftp://192.0.2.1:10021',
  nfs: { host: '192.0.2.1', options: '', ipv4: '192.0.2.1' },
}

const sha256 = (hexByte: string) => ({ algorithm: 'sha256' as const, hex: hexByte.repeat(32) })

export function makeTree(id: string, more: Partial<Tree> = {}): Tree {
  const kernel = 'images/pxeboot/vmlinuz'
  const initrd = 'images/pxeboot/initrd.img'
  const checksums = more.checksums ?? { [kernel]: sha256('ab'), [initrd]: sha256('cd') }
  return {
    id,
    distro: 'fedora',
    family: 'Fedora',
    version: '40',
    variant: 'Server',
    arch: 'x86_64',
    era: 'treeinfo-1.2',
    platforms: { x86_64: { kernel, initrd, others: {} }, xen: { kernel, initrd, others: {} } },
    stage2: 'images/install.img',
    repositories: [{ id: 'Server', name: 'Server', kind: 'variant', path: '.' }],
    checksums,
    sha256: Object.fromEntries(Object.entries(checksums).map(([path, { hex }]) => [path, hex])),
    problems: [],
    origin: { kind: 'folder', path: `/srv/trees/${id}` },
    state: 'ready',
    reasons: [],
    sizes: { [kernel]: 14_000_000, [initrd]: 160_000_000 },
    modifiedMs: 1_700_000_000_000,
    ...more,
  }
}

export const fedora40 = makeTree('fedora/40/x86_64')
export const rhel6 = makeTree('rhel-6.10', {
  distro: 'rhel',
  family: 'Red Hat Enterprise Linux',
  version: '6.10',
  era: 'treeinfo-0.3',
  checksums: {},
})
export const fedora9 = makeTree('f9-i386', {
  version: '9',
  arch: 'i386',
  variant: 'Fedora',
  era: 'treeinfo-0.0',
  platforms: {
    i386: { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img', others: {} },
    xen: { kernel: 'images/xen/vmlinuz', initrd: 'images/xen/initrd.img', others: {} },
  },
  checksums: {},
})
export const debian12 = makeTree('debian-12', {
  distro: 'debian',
  family: 'Debian',
  version: '12',
  variant: '',
  arch: 'amd64',
  era: 'files-only',
  platforms: {
    amd64: {
      kernel: 'debian-installer/amd64/linux',
      initrd: 'debian-installer/amd64/initrd.gz',
      others: {},
    },
  },
  repositories: [],
  checksums: {},
  sizes: {},
})
export const leap15 = makeTree('leap-15.6', {
  distro: 'opensuse',
  family: 'openSUSE Leap',
  version: '15.6',
  variant: '',
  era: 'suse-media',
  platforms: {
    x86_64: { kernel: 'boot/x86_64/loader/linux', initrd: 'boot/x86_64/loader/initrd', others: {} },
  },
  checksums: {},
})

type GuestWishes = Partial<Omit<Guest, 'settings'>> & {
  readonly tree?: Tree | string
  readonly template?: string
  readonly args?: readonly (string | Sourced<string>)[]
  readonly vars?: Readonly<Record<string, VarValue>>
  readonly virt?: Partial<VirtSettings>
  readonly network?: NetworkSettings
  readonly removals?: readonly Sourced<string>[]
  readonly source?: 'http' | 'ftp' | 'nfs'
}

export function makeGuest(name: string, wishes: GuestWishes = {}): Guest {
  const { tree, template, args = [], vars = {}, virt = {}, source = 'http', ...more } = wishes
  const { network, removals, ...rest } = more
  const from = `guest ${name} (config.yaml:21)`
  const say = <T>(value: T): Sourced<T> => ({ value, from })
  const shape: VirtSettings = {
    hypervisor: 'kvm',
    type: 'hvm',
    memory: 2048,
    vcpus: 2,
    disk: 20,
    network: 'bridge=br0',
    ...virt,
  }
  const settings: Settings = {
    ...(tree !== undefined && { tree: say({ id: typeof tree === 'string' ? tree : tree.id }) }),
    ...(template !== undefined && { template: say(template) }),
    args: args.map((arg) => (typeof arg === 'string' ? say(arg) : arg)),
    vars: Object.fromEntries(Object.entries(vars).map(([key, value]) => [key, say(value)])),
    virt: {
      hypervisor: say(shape.hypervisor),
      type: say(shape.type),
      memory: say(shape.memory),
      vcpus: say(shape.vcpus),
      disk: say(shape.disk),
      network: say(shape.network),
    },
    source: say(source),
    retry: say(false),
    ...(network && {
      network: Object.fromEntries(Object.entries(network).map(([key, value]) => [key, say(value)])),
    }),
    ...(removals && { removals }),
  }
  return {
    name,
    macs: ['52:54:00:aa:bb:01'],
    profiles: ['web', 'base'],
    definedAt: 'config.yaml:21',
    settings,
    ...rest,
  }
}

/** An index that finds a tree by id, or by equal distro, version, variant and arch. Later trees win. */
export function fakeTreeIndex(trees: readonly Tree[]): TreeIndex {
  const index: TreeIndex = {
    all: trees,
    earlier: [],
    inVersion: () => undefined,
    otherVersions: () => new Map(),
    asOf: () => index,
    byId: (id) => trees.find((tree) => tree.id === id),
    select(selector) {
      const ready = trees.filter((tree) => tree.state === 'ready')
      const fitting = ready.filter((tree) =>
        'id' in selector
          ? tree.id === selector.id
          : (['distro', 'version', 'variant', 'arch'] as const).every(
              (key) => selector[key] === undefined || selector[key] === tree[key],
            ),
      )
      const [tree, ...others] = fitting.toReversed()
      if (tree) return { found: true, tree, others }
      return { found: false, why: `no ready tree is ${JSON.stringify(selector)}`, nearest: ready.slice(0, 5) }
    },
  }
  return index
}

export function makeInputs(
  trees: readonly Tree[],
  guests: readonly Guest[],
  more: Partial<BootInputs> = {},
): BootInputs {
  return {
    trees: fakeTreeIndex(trees),
    guests: createGuestIndex(guests),
    urls,
    unknown: 'menu',
    menuTimeoutMs: 30_000,
    ...more,
  }
}
