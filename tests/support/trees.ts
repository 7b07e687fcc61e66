import type { Tree } from '../../server/core/tree/tree.ts'

/** A ready Fedora tree, but for what a test says about it. */
export function fakeTree(said: Partial<Tree> & Pick<Tree, 'id'>): Tree {
  const arch = said.arch ?? 'x86_64'
  const images = { kernel: 'images/pxeboot/vmlinuz', initrd: 'images/pxeboot/initrd.img', others: {} }
  return {
    era: 'treeinfo-1.2',
    family: 'Fedora',
    version: '40',
    variant: 'Server',
    arch,
    distro: 'fedora',
    platforms: { [arch]: images },
    repositories: [],
    checksums: {},
    problems: [],
    origin: { kind: 'folder', path: `/srv/trees/${said.id}` },
    state: 'ready',
    reasons: [],
    sizes: {},
    sha256: {},
    modifiedMs: 0,
    ...said,
  }
}
