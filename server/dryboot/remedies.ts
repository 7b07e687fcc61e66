import { packagesOf } from '../core/loader/files.ts'

/** What an operator can do about a step that failed: the one home of these sentences. */
export const remedies = {
  copyFile: (path: string): string => {
    const tree = /^\/trees\/(.+?)\/(?:[^/]+\/)*[^/]+$/.exec(path)
    return tree
      ? `copy the file into the tree again; treeboot verify says what else of the tree is not right`
      : `put the file into tftpboot/; treeboot explain ${path} says where it was looked for`
  },
  unreadable: (path: string): string => `treeboot explain ${path} says which part of treeboot serves it`,
  tooLong: 'take a smaller file, or a loader that fetches by HTTP',
  loader: (paths: readonly string[]): string => packagesText(paths),
  refused: (guest: string): string =>
    `treeboot explain ${guest} shows each decision, and treeboot check all that is wrong`,
  guestLoader: 'set loader: grub for the guest or its profile, whose shim and GRUB are signed',
  identity: 'give the guest its MAC or UUID, by which a machine that asks for network boot is known',
  ownAddress:
    'give this machine an IPv4 address on the network of its clients, or take a machine with UEFI by IPv6 (treeboot dhcp-config --address)',
  openDhcp:
    'give treeboot the right to port 67 (root, or CAP_NET_BIND_SERVICE), or let your DHCP server name the loader (treeboot dhcp-config)',
  debianGrub: 'use treeboot dhcp-config, or loader: ipxe where Secure Boot is off',
  grubByHttp: 'let the machine boot by PXE, or set loader: ipxe where Secure Boot is off',
  kernelArch: 'take a tree for the architecture of the machine, or try another firmware',
  argument: 'correct args of the guest or its profile; treeboot explain says where each argument comes from',
  secondStage: 'copy the file into the tree, or name another place in args',
  repository: 'take a tree with packages, or name the place of the packages in args',
} as const

/** `install ipxe (Debian) or ipxe-bootimgs-x86 (Fedora)`, or where to put the file when no package has it. */
function packagesText(paths: readonly string[]): string {
  const ofFamily = (['debian', 'fedora'] as const).map((family) => {
    const packages = packagesOf(paths, family)
    const name = family === 'debian' ? 'Debian' : 'Fedora'
    return packages.length === 0 ? undefined : `${packages.join(' ')} (${name})`
  })
  const found = ofFamily.filter((text) => text !== undefined)
  const names = paths.map((path) => path.slice(path.lastIndexOf('/') + 1)).join(' or ')
  const put = `put ${names} into tftpboot/`
  return found.length === 0 ? put : `install ${found.join(' or ')}, or ${put}`
}
