import { osinfoNames } from './osinfo.ts'
import type { Family } from './record.ts'

const casperInitrds = ['initrd', 'initrd.gz', 'initrd.lz', 'initrd.img']

export const ubuntu = {
  distros: {
    ubuntu: {
      name: 'Ubuntu',
      aliases: ['xubuntu', 'kubuntu', 'lubuntu', 'ubuntuserver', 'ubuntulinux'],
      family: /ubuntu/,
      // Ubuntu changed to Subiquity with its live-server images. For versions that had both, the kernel's
      // path decides: in `casper/` or elsewhere. The version decides only while no kernel is known.
      installer: [
        { installer: 'subiquity', kernel: /(^|\/)casper\// },
        // On s390x the live server has its kernel in `boot/`, and so have older media with debian-installer.
        { installer: 'subiquity', kernel: /^(?:boot|s390x)\/(?:kernel|linux)\.ubuntu$/, since: '20.04' },
        { installer: 'subiquity', kernel: /^[^/]+\/linux$/ },
        { installer: 'debian-installer', kernel: /./ },
        { installer: 'subiquity', since: '20.04' },
        { installer: 'debian-installer' },
      ],
      // Its kernels 4.18 and 5.19: those of 18.04 (4.15) and 22.04 (5.15) are older than the change.
      longCmdlineSince: { ppc: '18.10', s390: '22.10' },
      codenames: {
        precise: '12.04',
        trusty: '14.04',
        xenial: '16.04',
        bionic: '18.04',
        focal: '20.04',
        jammy: '22.04',
        noble: '24.04',
        questing: '25.10',
        resolute: '26.04',
      },
      osinfo: osinfoNames(
        'ubuntu',
        [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21].flatMap((year) => [`${year}.04`, `${year}.10`]),
      ),
      efi: { folder: 'ubuntu', shim: 'shim$cpu.efi' },
      template: 'ubuntu.user-data',
      // The archive has the other architectures elsewhere, at ports.ubuntu.com.
      netboot: { archive: 'http://archive.ubuntu.com/ubuntu', archs: ['x86_64', 'i386'] },
    },
    mint: { name: 'Linux Mint', aliases: ['linuxmint'], family: /\bmint\b/, installer: 'casper' },
    pop: { name: 'Pop!_OS', aliases: ['popos', 'pop!os'], family: /\bpop[!_ ]*os\b/, installer: 'casper' },
    elementary: { name: 'elementary OS', family: /elementary/, installer: 'casper' },
    trisquel: { name: 'Trisquel', family: /trisquel/, installer: 'casper' },
  },
  layouts: [
    {
      kernel: /^ubuntu-installer\/(?<arch>[^/]+)\/(?:linux|vmlinu[xz])$/,
      initrds: ['initrd.gz'],
      family: 'Ubuntu',
    },
    // The netboot tarball of the live server (livecd-rootfs, live-server netboot hook).
    { kernel: /^(?<arch>[^/]+)\/linux$/, initrds: ['initrd', 'initrd.gz'], family: 'Ubuntu' },
    {
      kernel: /^(?<arch>s390x)\/(?:linux|kernel)\.ubuntu$/,
      initrds: ['initrd.ubuntu'],
      others: { parmfile: 'parmfile.ubuntu' },
      family: 'Ubuntu',
    },
    {
      kernel: /^boot\/kernel\.ubuntu$/,
      initrds: ['initrd.ubuntu'],
      platform: 's390x',
      others: { 'ubuntu.ins': '/ubuntu.ins', parmfile: 'parmfile.ubuntu' },
      family: 'Ubuntu',
    },
    { kernel: /^casper\/vmlinu[xz](?:\.efi)?$/, initrds: casperInitrds, family: 'Ubuntu' },
    { kernel: /^casper\/(?<arch>powerpc)\/vmlinux$/, initrds: casperInitrds, family: 'Ubuntu' },
    // casper_pop-os_22.04_amd64_intel_debug_40
    { kernel: /^casper_pop-os_[\w.-]+\/vmlinuz(?:\.efi)?$/, initrds: casperInitrds, family: 'Pop!_OS' },
  ],
  folders: ['ubuntu-installer', 'casper'],
  folderNames: /casper_[\w.-]+/,
  kernelNames: /(?:linux|kernel)\.ubuntu/,
  stage2: [
    'casper/filesystem.squashfs',
    'casper/minimal.squashfs',
    'casper/ubuntu-server-minimal.squashfs',
    /^casper_[\w.-]+\/filesystem\.squashfs$/,
  ],
} as const satisfies Family
