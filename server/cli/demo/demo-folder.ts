import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import type { Installer } from './installer.ts'

/** The folder of the demo: an installation of treeboot with one tree, one guest and its loader. */
export interface DemoFolder {
  readonly folder: string
  readonly tree: string
  readonly guest: string
  readonly mac: string
}

export const demoGuest = { name: 'demo', mac: '52:54:00:db:00:01' } as const

/**
 * Makes the demo's folder. The tree has the layout of a Debian mirror, which clients expect: virt-install,
 * for example, looks for `current/images/MANIFEST` and takes the release from the URL.
 */
export function makeDemoFolder(folder: string, installer: Installer, templates: string): DemoFolder {
  const { arch, codename } = installer
  const tree = `debian/dists/${codename}/main/installer-${arch}`
  const netboot = `netboot/debian-installer/${arch}`
  rmSync(join(folder, 'trees'), { recursive: true, force: true })
  const images = join(folder, 'trees', tree, 'current/images')
  place(installer.kernel, join(images, netboot, 'linux'))
  place(installer.initrd, join(images, netboot, 'initrd.gz'))
  const manifest = [
    ['netboot/', 'tiny network boot CD and files'],
    [`${netboot}/linux`, 'kernel of the network installer'],
    [`${netboot}/initrd.gz`, 'initrd of the network installer'],
  ]
  writeFileSync(join(images, 'MANIFEST'), manifest.map(([path, what]) => `${path} -- ${what}\n`).join(''))
  // The package of the installer has the BIOS loader, so PXE needs no other package.
  for (const name of ['pxelinux.0', 'ldlinux.c32']) {
    const loader = join(installer.folder, name)
    if (existsSync(loader)) place(loader, join(folder, 'tftpboot', name))
  }
  const guests = {
    guests: {
      [demoGuest.name]: {
        mac: demoGuest.mac,
        tree,
        template: 'debian.preseed',
        // The text frontend writes lines, which a serial console shows better than drawn boxes.
        args: ['console=ttyS0', 'quiet', 'DEBIAN_FRONTEND=text'],
        vars: { hostname: 'demo.example', mirror_url: 'http://ftp.debian.org/debian' },
        virt: { hypervisor: hasKvm() ? 'kvm' : 'qemu', memory: 1024, vcpus: 1, disk: 10, network: 'user' },
      },
    },
  }
  const [trees, tftpboot] = [join(folder, 'trees'), join(folder, 'tftpboot')]
  // Two servers with the same trees: each has its own store, and a witness of it.
  const settings = (data: string) => ({
    paths: { trees, tftpboot, data: join(folder, data), templates },
    state: { witness: join(folder, `${data}-witness.json`) },
    ...guests,
  })
  const anyPort = { bind: '127.0.0.1', port: 0 }
  const closed = { enabled: false }
  // `here.yaml` is for the server in this process, `lan.yaml` for the second one, in the network of a PXE boot.
  const [here, lan] = [settings('data'), settings('data-lan')]
  write(join(folder, 'here.yaml'), { http: anyPort, tftp: anyPort, ftp: closed, nfs: closed, ...here })
  write(join(folder, 'lan.yaml'), { http: { port: 80 }, ftp: closed, nfs: closed, ...lan })
  return { folder, tree, guest: demoGuest.name, mac: demoGuest.mac }
}

function hasKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

function write(file: string, config: unknown): void {
  writeFileSync(file, stringify(config))
}

/** Puts a file at another path: as a hard link where the file system allows it, otherwise as a copy. */
function place(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  rmSync(to, { force: true })
  try {
    // The package holds symlinks; the demo needs the files that they point to.
    linkSync(realpathSync(from), to)
  } catch {
    copyFileSync(from, to)
  }
}
