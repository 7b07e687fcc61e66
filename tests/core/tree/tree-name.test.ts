import { describe, expect, test } from 'vitest'
import { readTreeName } from '../../../server/core/tree/tree-name.ts'

/** What the name of a tree says. Each row: path, family, version, arch. */
type Row = readonly [path: string, family: string, version: string, arch: string]

const read = (path: string): Row => {
  const { family, version, arch } = readTreeName(path)
  return [path, family, version, arch]
}

describe('architectures in names', () => {
  test.each<Row>([
    // The names of Fedora's boot discs have the architecture before the version.
    ['Fedora-Server-netinst-x86_64-25-1.3', 'Fedora', '25', 'x86_64'],
    ['Fedora-Server-netinst-x86_64-26-1.5', 'Fedora', '26', 'x86_64'],
    ['fedora-x86_64-40', 'Fedora', '40', 'x86_64'],
    ['rocky/x86_64/9.4', 'Rocky Linux', '9.4', 'x86_64'],
    ['alma_x86_64_9', 'AlmaLinux', '9', 'x86_64'],
    ['opensuse-x86-64-15.6', 'openSUSE', '15.6', 'x86-64'],
    ['rhel-server-x86_64-7.9-dvd', 'Red Hat Enterprise Linux', '7.9', 'x86_64'],
    ['x86_64/fedora/40', 'Fedora', '40', 'x86_64'],
    ['fedora-40-x86_64', 'Fedora', '40', 'x86_64'],
    ['Fedora-i386-20', 'Fedora', '20', 'i386'],
    ['fedora-aarch64-41', 'Fedora', '41', 'aarch64'],
    // Other separators, spellings and places.
    ['Fedora.x86_64.40', 'Fedora', '40', 'x86_64'],
    ['fedora x86 64 40', 'Fedora', '40', 'x86_64'],
    ['x86-64-fedora-40', 'Fedora', '40', 'x86-64'],
    ['40-x86_64-fedora', 'Fedora', '40', 'x86_64'],
    ['AlmaLinux-10-x86_64_v2-dvd', 'AlmaLinux', '10', 'x86_64_v2'],
    ['debian-amd64-12', 'Debian', '12', 'amd64'],
    ['debian-ppc64el-12', 'Debian', '12', 'ppc64el'],
    ['debian-s390x-12', 'Debian', '12', 's390x'],
    ['fedora-armhfp-33', 'Fedora', '33', 'armhfp'],
    ['debian-riscv64-13', 'Debian', '13', 'riscv64'],
    ['anolis-loongarch64-8.8', 'Anolis OS', '8.8', 'loongarch64'],
    ['ubuntu-12.10-server-amd64+mac', 'Ubuntu', '12.10', 'amd64'],
    ['linuxmint-21.3-cinnamon-64bit', 'Linux Mint', '21.3', ''],
    ['linuxmint-64-bit-21', 'Linux Mint', '21', ''],
    ['linuxmint 32 bit 19', 'Linux Mint', '19', ''],
    ['opensuse64-15.6', 'openSUSE', '15.6', ''],
    ['fedora32', 'Fedora', '32', ''],
    // The nearest to the tree.
    ['mirror-x86_64/fedora-40-aarch64', 'Fedora', '40', 'aarch64'],
    ['fedora/40/x86_64/os', 'Fedora', '40', 'x86_64'],
  ])('%s is %s %s for %s', (...row) => {
    expect(read(row[0])).toEqual(row)
  })
})

describe('versions in names', () => {
  test.each<Row>([
    // Oracle's releases and updates.
    ['OracleLinux-R9-U4-x86_64-dvd', 'Oracle Linux', '9.4', 'x86_64'],
    ['OracleLinux-R6-U10-Server-i386-dvd', 'Oracle Linux', '6.10', 'i386'],
    ['oracle_r8_u0', 'Oracle Linux', '8.0', ''],
    ['oraclelinux-R10', 'Oracle Linux', '10', ''],
    ['ol9u4', 'Oracle Linux', '9.4', ''],
    ['ol8.9', 'Oracle Linux', '8.9', ''],
    ['oracle-9-u4', 'Oracle Linux', '9.4', ''],
    ['R9-U4', '', '9.4', ''],
    // Service packs.
    ['SLE-15-SP5-Full-x86_64-GM-Media1', 'SUSE Linux Enterprise', '15.5', 'x86_64'],
    ['sles15sp5', 'SUSE Linux Enterprise Server', '15.5', ''],
    ['SLES-12-x86_64', 'SUSE Linux Enterprise Server', '12', 'x86_64'],
    // One number of several.
    ['CentOS-8.2.2004-x86_64-boot', 'CentOS', '8.2.2004', 'x86_64'],
    ['CentOS-7-x86_64-DVD-2009', 'CentOS', '7', 'x86_64'],
    ['CentOS-Stream-9-20240101.0-x86_64-dvd1', 'CentOS Stream', '9', 'x86_64'],
    ['AlmaLinux-Kitten-10-20241227.0-aarch64-minimal', 'AlmaLinux', '10', 'aarch64'],
    ['kali-linux-2024.1-installer-amd64', 'Kali Linux', '2024.1', 'amd64'],
    ['proxmox-ve_8.1-2', 'Proxmox', '8.1', ''],
    ['Fedora-Workstation-netinst-i386-23_Beta', 'Fedora', '23_Beta', 'i386'],
    ['Fedora-Everything-netinst-x86_64-Rawhide-20220601.n.0', 'Fedora', 'Rawhide', 'x86_64'],
    ['openSUSE-Tumbleweed-NET-x86_64-Current', 'openSUSE', 'Tumbleweed', 'x86_64'],
    ['openSUSE-Leap-15.6-DVD-x86_64-Media', 'openSUSE', '15.6', 'x86_64'],
    ['FC3-x86_64-disc2', 'Fedora', '3', 'x86_64'],
    ['FC-6-i386-DVD', 'Fedora', '6', 'i386'],
    // Numbers that count something else.
    ['fedora-x86_64-disc1', 'Fedora', '', 'x86_64'],
    ['rocky-dvd2', 'Rocky Linux', '', ''],
    ['lab7', '', '', ''],
    ['05-ubuntu', 'Ubuntu', '', ''],
    ['09-debian-12', 'Debian', '12', ''],
    ['01-mirror/02-rocky-9.4', 'Rocky Linux', '9.4', ''],
    ['rhel-20240210', 'Red Hat Enterprise Linux', '', ''],
    ['fedora-build5', 'Fedora', '', ''],
    // `el`, `fc` and `f` alone may mean anything.
    ['fc/x', '', '', ''],
    ['el-x', '', '', ''],
    ['f-40', 'Fedora', '40', ''],
    ['arch-12', '', '12', ''],
    ['archlinux-2024.02.01-x86_64', 'Arch Linux', '2024.02.01', 'x86_64'],
  ])('%s is %s %s for %s', (...row) => {
    expect(read(row[0])).toEqual(row)
  })
})

describe('folders above a tree', () => {
  test.each<Row>([
    // Without a distribution they hold anything.
    ['lay2/copy-x86_64', '', '', 'x86_64'],
    ['lay2/copy-10-x86_64', '', '10', 'x86_64'],
    ['lay2/kitten10-x86_64', 'AlmaLinux', '10', 'x86_64'],
    ['01-fedora-64/kitten10-x86_64', 'AlmaLinux', '10', 'x86_64'],
    ['9.4/x86_64', '', '', 'x86_64'],
    ['disk2/rescue', '', '', ''],
    ['10/20', '', '20', ''],
    ['bookworm/copy', '', '', ''],
    // Behind the name of a distribution they count, in its own folder or below.
    ['fedora/releases/40/Server/x86_64/os', 'Fedora', '40', 'x86_64'],
    ['centos-stream/9-stream/BaseOS/x86_64/os', 'CentOS Stream', '9', 'x86_64'],
    ['debian/dists/bookworm/main/installer-amd64/current/images', 'Debian', '12', 'amd64'],
    ['rocky-9.4/BaseOS', 'Rocky Linux', '9.4', ''],
    ['fedora/linux/releases/test/41_Beta', 'Fedora', '41_Beta', ''],
    // A number above the distribution's name does not.
    ['7/fedora', 'Fedora', '', ''],
    ['7/fedora/x86_64', 'Fedora', '', 'x86_64'],
    // The nearest distribution.
    ['fedora/rocky/9', 'Rocky Linux', '9', ''],
    ['rhel-7/fedora-40', 'Fedora', '40', ''],
    ['ubuntu-22.04/debian', 'Debian', '', ''],
  ])('%s is %s %s for %s', (...row) => {
    expect(read(row[0])).toEqual(row)
  })
})
