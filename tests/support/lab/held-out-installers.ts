import { type HeldOut, pause } from './held-out.ts'
import { chain, rom } from './held-out-parts.ts'

const dracutOfAnaconda =
  'the requests of PXELINUX by busybox tftp 1.35, those of dracut and Anaconda by curl 7.88'
const debian = 'the requests of PXELINUX by busybox tftp 1.35, those of debian-installer by busybox wget 1.35'

/** What Anaconda loads before its answer file (clients.md; dracut module anaconda). */
const anaconda = `pxelinux
dracut $tree/.treeinfo; dracut $tree/images/install.img
dracut $tree/images/updates.img; dracut $tree/images/product.img
`
const answers = 'dracut $U/ks/web01; cp got ks\n'
const packages = 'for n in 1 2 3; do dracut $tree/Packages/p$n.rpm; done\n'
const post = 'curl -s -o /dev/null -X POST --data "" '
const reports = `text
# failed {{ report_urls.failed }}
# progress {{ report_urls.progress }}
# done {{ report_url }}
`
const failed = `${post} "$(sed -n 's/# failed //p' ks)"\n`

const scripted = (script: string): HeldOut['act'] => {
  return async (world) => {
    await world.script(script)
  }
}

/** Faults from the kernel on. */
export const installers: readonly HeldOut[] = [
  {
    name: 'installer-failed-onerror',
    about: "Anaconda's %onerror reports a failure",
    client: dracutOfAnaconda,
    origin: 'kickstart-templates/snippets/report.ks',
    expected: [['failed', 'installer-failed']],
    template: reports,
    files: chain,
    act: scripted(`${anaconda}${answers}${packages}${failed}`),
  },
  {
    name: 'installer-failed-at-once',
    about: 'an installer fails before it fetched any package, and reports with words',
    client: dracutOfAnaconda,
    origin: 'docs/boots.md',
    expected: [['failed', 'installer-failed']],
    template: reports,
    files: chain,
    act: scripted(
      `${anaconda}${answers}curl -s -X POST --data "disk sda not found" "$(sed -n 's/# failed //p' ks)"`,
    ),
  },
  {
    name: 'answer-file-failed',
    about: 'the template uses a value that nobody set',
    client: dracutOfAnaconda,
    origin: 'docs/boots.md',
    expected: [['stalled', 'answer-file-failed']],
    template: 'text\nrootpw {{ root_password | ks_quote }}\n',
    files: chain,
    act: scripted(`${anaconda}dracut $U/ks/web01`),
  },
  {
    name: 'answer-file-failed-debian',
    about: 'the same, and debian-installer asks three times',
    client: debian,
    origin: 'clients.md: debian-installer knows only 404, and calls the rest a network error',
    expected: [['stalled', 'answer-file-failed']],
    template: 'd-i passwd/root-password password {{ root_password.clear }}\n',
    files: chain,
    act: scripted(
      'pxelinux; for n in 1 2 3; do busybox wget -q -U debian-installer -O got $U/ks/web01; done',
    ),
  },
  {
    name: 'answer-file-missing',
    about: 'the argument names the answer file of a guest that does not exist',
    client: dracutOfAnaconda,
    origin: 'docs/boots.md',
    expected: [['stalled', 'answer-file-missing']],
    files: chain,
    act: scripted(`${anaconda}dracut $U/ks/web1`),
  },
  {
    name: 'answer-file-missing-nocloud',
    about: 'ds=nocloud names a guest that has no user-data',
    client: 'the requests of PXELINUX by busybox tftp 1.35, those of cloud-init by curl 7.88',
    origin: 'clients.md: cloud-init asks for meta-data and user-data',
    expected: [['stalled', 'answer-file-missing']],
    files: chain,
    act: scripted(
      'pxelinux; for f in network-config meta-data user-data vendor-data; do curl -s -f -A Cloud-Init/24.4 -o got $U/ks/ubuntu9/$f; done',
    ),
  },
  {
    name: 'restarted-after-panic',
    about: 'the kernel panics and resets the machine, which boots anew, twice',
    client: rom,
    origin: 'docs/boots.md: panic and reset; reviews/boot.md 6: Enterprise Linux on an old processor',
    expected: [
      ['stalled', 'restarted-after-kernel'],
      ['stalled', 'kernel-quiet'],
    ],
    isProxy: true,
    guest: { args: ['console=ttyS0', 'rdinit=/none', 'root=/dev/none', 'panic=1'] },
    act: async (world) => {
      world.machine('bios', { more: ['-action', 'reboot=reset'] })
      await world.served('initrd.img', { count: 2 })
      await pause(500)
    },
  },
  {
    name: 'restarted-before-end',
    about: 'the power fails while packages are installed',
    client: dracutOfAnaconda,
    origin: 'docs/boots.md',
    expected: [['stalled', 'restarted-before-end'], ['done']],
    template: reports,
    files: chain,
    act: scripted(`${anaconda}${answers}${packages}sleep 2\npxelinux`),
  },
  {
    name: 'stage2-missing-dracut',
    about: 'the tree has lost its second stage; dracut asks for each of its names',
    client: dracutOfAnaconda,
    origin: 'rhinstaller/anaconda dracut/anaconda-lib.sh; dracutdevs/dracut issue 2047',
    expected: [['stalled', 'stage2-missing']],
    guest: { args: ['inst.stage2=http://192.0.2.1:8080/trees/el9'] },
    files: chain,
    act: scripted(
      'pxelinux\nfor f in .treeinfo treeinfo images/install.img LiveOS/squashfs.img; do dracut $U/trees/el9/$f; done',
    ),
  },
  {
    name: 'stage2-missing-coreos',
    about: 'coreos.live.rootfs_url names a file that is not here',
    client: 'the requests of coreos-livepxe-rootfs.sh by curl 7.88: HEAD, HEAD with --fail',
    origin: 'clients.md; coreos/fedora-coreos-config',
    expected: [['stalled', 'stage2-missing']],
    files: chain,
    act: scripted(
      'pxelinux; curl -s -I $U/trees/fcos/fedora-coreos-44-live-rootfs.x86_64.img; curl -s -f -I $U/trees/fcos/fedora-coreos-44-live-rootfs.x86_64.img',
    ),
  },
  {
    name: 'stage2-missing-casper',
    about: 'url= names an image that is not here',
    client: 'the requests of PXELINUX by busybox tftp 1.35, that of casper by busybox wget 1.35',
    origin: 'clients.md: casper fetches the whole image',
    expected: [['stalled', 'stage2-missing']],
    files: chain,
    act: scripted('pxelinux; busybox wget $U/trees/ubuntu-24.04.1-live-server-amd64.iso -O got'),
  },
  {
    name: 'image-too-large',
    about: 'casper loads an image of 2.6 GiB into a RAM disk of 1 GiB',
    client: 'the requests of PXELINUX by busybox tftp 1.35, that of casper by busybox wget 1.35',
    origin: 'netbootxyz/netboot.xyz issue 1128: 22.04 hangs with 2 GB',
    expected: [['stalled', 'image-too-large']],
    files: { ...chain, 'trees/ubuntu-24.04-live-server-amd64.iso': { size: 2600 * 2 ** 20 } },
    act: scripted(
      'pxelinux; mkdir ram; mount -t tmpfs -o size=1g none ram; busybox wget -q $U/trees/ubuntu-24.04-live-server-amd64.iso -O ram/x.iso; umount ram',
    ),
  },
  {
    name: 'packages-missing',
    about: 'a package that the index names is not here; dnf tries it several times, and stops',
    client: dracutOfAnaconda,
    origin: 'docs/boots.md',
    expected: [['stalled', 'packages-missing']],
    files: chain,
    act: scripted(
      `${anaconda}${answers}dracut $tree/repodata/repomd.xml; dracut $tree/Packages/p1.rpm; for n in 1 2 3; do curl -s -f -A "libdnf (Fedora 40)" -o got $tree/Packages/b/bash-5.2.26-3.fc40.x86_64.rpm; done`,
    ),
  },
  {
    name: 'packages-missing-debian',
    about: 'a mirror that lost a .deb while it was updated',
    client: debian,
    origin: 'docs/boots.md; clients.md: pool/**.udeb',
    expected: [['stalled', 'packages-missing']],
    files: {
      ...chain,
      'trees/debian/dists/bookworm/Release': 'x\n',
      'trees/debian/pool/main/b/base-files/base-files_12.4_amd64.deb': { size: 100_000 },
    },
    act: scripted(
      `pxelinux; g() { busybox wget -q -U debian-installer -O got "$@"; }; g $U/ks/web01; d=$U/trees/debian; g $d/dists/bookworm/Release; g $d/pool/main/b/base-files/base-files_12.4_amd64.deb; for n in 1 2 3; do g $d/pool/main/g/glibc/libc6_2.36-9_amd64.deb; done`,
    ),
  },
  {
    name: 'kernel-quiet-no-card',
    about: 'a kernel that finds no network card',
    client: `${rom}, kernel of Debian 12 with pci=off`,
    origin: 'docs/boots.md: no driver for the network card',
    expected: [['stalled', 'kernel-quiet']],
    isProxy: true,
    guest: { args: ['console=ttyS0', 'pci=off', 'acpi=off'] },
    act: async (world) => {
      world.machine('bios')
      await world.served('initrd.img')
      await pause(10_000)
    },
  },
  {
    name: 'log-quiet',
    about: 'debian-installer logs to us that it asks about a network card, and waits',
    client: `${debian}; its log by logger of util-linux 2.38`,
    origin: 'docs/boots.md',
    expected: [['stalled', 'log-quiet']],
    config: { syslog: { enabled: true } },
    files: chain,
    act: scripted(
      `pxelinux; l() { logger -n $S -P 514 -d --rfc3164 -t "$1" "$2"; sleep 0.3; }; l main-menu "INFO: Menu item 'ethdetect' selected"; l net/hw-detect.hotplug 'Detected hotpluggable network interface eth0'; l main-menu "INFO: Menu item 'netcfg' selected"; l netcfg 'ERROR: no link'; sleep 1`,
    ),
  },
  {
    name: 'stage2-quiet',
    about: 'no answer file: Anaconda stands at its first screen',
    client: dracutOfAnaconda,
    origin: 'docs/boots.md',
    expected: [['stalled', 'stage2-quiet']],
    guest: { template: undefined },
    files: chain,
    act: scripted(anaconda),
  },
  {
    name: 'installer-waits-partman',
    about: 'partman asks which of two disks it may use',
    client: debian,
    origin: 'reviews/boot.md 10: theforeman/community-templates PR 271',
    expected: [['stalled', 'installer-waits']],
    files: chain,
    act: scripted('pxelinux; busybox wget -q -U debian-installer -O got $U/ks/web01'),
  },
  {
    name: 'packages-quiet',
    about: 'a %post script does not end',
    client: dracutOfAnaconda,
    origin: 'docs/boots.md',
    expected: [['stalled', 'packages-quiet']],
    files: chain,
    act: scripted(`${anaconda}${answers}${packages}`),
  },
  {
    name: 'stage2-missing-livenet',
    about: 'root=live: names a file system image that is not here; dracut asks for its size first',
    client: 'the requests of dracut livenet by curl 7.88: HEAD',
    origin: 'added after the rule was mended for CoreOS; clients.md: curl -sIL',
    expected: [['stalled', 'stage2-missing']],
    files: chain,
    act: scripted('pxelinux; for n in 1 2 3; do curl -sIL -o got $U/trees/leap16/LiveOS/squashfs.img; done'),
  },
  {
    name: 'stage2-asked-by-head',
    about: 'the same with an image that is here, and no answer file',
    client: 'the requests of dracut livenet by curl 7.88: HEAD, and then GET',
    origin: 'added after the rule was mended for CoreOS: a HEAD that finds the file is no fault',
    expected: [['stalled', 'stage2-quiet']],
    guest: { template: undefined },
    files: chain,
    act: scripted('pxelinux; curl -sIL -o got $tree/images/install.img; dracut $tree/images/install.img'),
  },
]
