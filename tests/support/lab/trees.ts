import { createHash } from 'node:crypto'
import { constants, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A tree that looks like a distribution's and boots the small system of `guestImages`, for tests with real clients. */
export interface LabTree {
  /** Its folder below `trees/`, and its place in URLs. */
  readonly id: string
  /** What an HVM guest boots, relative to the tree. */
  readonly kernel: string
  readonly initrd: string
}

export interface LabImages {
  readonly kernel: string
  readonly initrd: string
}

export type LabTreeName = 'fedora' | 'fedora-arm64' | 'centos' | 'debian' | 'suse'

export const labTrees: Record<LabTreeName, LabTree> = {
  fedora: {
    id: 'fedora/40/Everything/x86_64/os',
    kernel: 'images/pxeboot/vmlinuz',
    initrd: 'images/pxeboot/initrd.img',
  },
  'fedora-arm64': {
    id: 'fedora/40/Everything/aarch64/os',
    kernel: 'images/pxeboot/vmlinuz',
    initrd: 'images/pxeboot/initrd.img',
  },
  centos: {
    id: 'centos/5.11/os/x86_64',
    kernel: 'images/pxeboot/vmlinuz',
    initrd: 'images/pxeboot/initrd.img',
  },
  debian: {
    // A mirror's own layout. virt-install reads the release from the code name in the URL, and Debian 12's
    // osinfo-db knows none after bullseye.
    id: 'debian/dists/bullseye/main/installer-amd64',
    kernel: 'current/images/netboot/debian-installer/amd64/linux',
    initrd: 'current/images/netboot/debian-installer/amd64/initrd.gz',
  },
  suse: {
    id: 'opensuse/distribution/13.2/repo/oss',
    kernel: 'boot/x86_64/loader/linux',
    initrd: 'boot/x86_64/loader/initrd',
  },
}

/** Writes a tree below `trees`, with these images and a descriptor in the form of its distribution. */
export function makeTree(trees: string, name: LabTreeName, images: LabImages): LabTree {
  const tree = labTrees[name]
  const folder = join(trees, tree.id)
  const put = (path: string, from: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    copyFileSync(from, join(folder, path), constants.COPYFILE_FICLONE)
  }
  put(tree.kernel, images.kernel)
  put(tree.initrd, images.initrd)
  // The small system loads no second stage, but without one no guest would be sent into the installer.
  if (name.startsWith('fedora')) writeFileSync(join(folder, 'images/install.img'), 'second stage\n')
  // PV guests have images of their own, in another folder, so that a test sees which ones were used.
  if (name === 'centos') {
    put('images/xen/vmlinuz', images.kernel)
    put('images/xen/initrd.img', images.initrd)
  }
  for (const [path, text] of Object.entries(descriptors[name](tree, images))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return tree
}

const descriptors: Record<LabTreeName, (tree: LabTree, images: LabImages) => Record<string, string>> = {
  fedora: (tree, images) => ({ '.treeinfo': fedoraTreeinfo(tree, images, 'x86_64', ['x86_64', 'xen']) }),
  'fedora-arm64': (tree, images) => ({ '.treeinfo': fedoraTreeinfo(tree, images, 'aarch64', ['aarch64']) }),
  centos: (tree) => ({
    '.treeinfo': `[general]
family = CentOS
timestamp = 1411940711.44
totaldiscs = 1
version = 5.11
discnum = 1
packagedir = CentOS
arch = x86_64

[images-x86_64]
kernel = ${tree.kernel}
initrd = ${tree.initrd}

[images-xen]
kernel = images/xen/vmlinuz
initrd = images/xen/initrd.img
`,
    '.discinfo': '1411940711.44\nFinal\nx86_64\n1\nCentOS/base\nCentOS/RPMS\nCentOS/pixmaps\n',
  }),
  debian: () => ({
    'current/images/MANIFEST': [
      'netboot/debian-installer/amd64/initrd.gz\t-- initrd for netboot',
      'netboot/debian-installer/amd64/linux\t-- kernel image for netboot',
      'netboot/netboot.tar.gz\t-- tarball of netboot directory',
      '',
    ].join('\n'),
  }),
  suse: () => ({
    content: `CONTENTSTYLE     11
DATADIR          suse
DESCRDIR         suse/setup/descr
DISTRO           cpe:/o:opensuse:opensuse:13.2,openSUSE
LABEL            openSUSE
REPOID           obsproduct://build.opensuse.org/openSUSE:13.2/openSUSE/13.2/x86_64
VENDOR           openSUSE
BASEARCHS        x86_64
`,
    'media.1/media':
      'openSUSE - openSUSE-13.2-DVD-x86_64-Build0063-Media\nopenSUSE-13.2-DVD-x86_64-Build0063\n1\n',
    'media.1/products': '/ openSUSE 13.2-1.10\n',
  }),
}

function fedoraTreeinfo(
  tree: LabTree,
  images: LabImages,
  arch: string,
  platforms: readonly string[],
): string {
  return `[checksums]
${tree.initrd} = sha256:${sha256(images.initrd)}
${tree.kernel} = sha256:${sha256(images.kernel)}

[general]
; WARNING.0 = This section provides compatibility with pre-productmd treeinfos.
; WARNING.1 = Read productmd documentation for details about new format.
arch = ${arch}
family = Fedora
name = Fedora 40
packagedir = Packages
platforms = ${platforms.join(',')}
repository = .
timestamp = 1713118220
variant = Everything
variants = Everything
version = 40

[header]
type = productmd.treeinfo
version = 1.2

${platforms.map((platform) => `[images-${platform}]\ninitrd = ${tree.initrd}\nkernel = ${tree.kernel}\n`).join('\n')}
[release]
name = Fedora
short = Fedora
version = 40

[tree]
arch = ${arch}
build_timestamp = 1713118220
platforms = ${platforms.join(',')}
variants = Everything

[variant-Everything]
id = Everything
name = Everything
packages = Packages
repository = .
type = variant
uid = Everything
`
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
