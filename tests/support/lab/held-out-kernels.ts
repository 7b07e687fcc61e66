import { type HeldOut, pause } from './held-out.ts'
import { chain, grub, image, ovmf, pxelinuxDhcp, rom, shim } from './held-out-parts.ts'

/** Faults of a kernel, an initrd and a plan. */
export const ofKernels: readonly HeldOut[] = [
  {
    name: 'kernel-missing-pxelinux',
    about: 'a pxelinux.cfg/default written by hand names a kernel that is not here',
    client: `${rom}, PXELINUX 6.04`,
    origin: 'docs/boots.md; PXELINUX then tries the name with .cbt, .0, .com and .c32',
    expected: [['gone', 'kernel-missing']],
    dhcp: pxelinuxDhcp,
    files: {
      ...chain,
      'tftpboot/pxelinux.cfg/default':
        'default linux\nlabel linux\n  kernel rocky9/vmlinuz\n  append initrd=rocky9/initrd.img\n',
    },
    config: { unknown: 'ignore', guests: {} },
    act: async (world) => {
      world.machine('bios')
      await world.served('rocky9/vmlinuz')
      await pause(5000)
    },
  },
  {
    name: 'kernel-missing-grub',
    about: 'a grub.cfg written by hand names a kernel that is not here',
    client: `${ovmf}, shim 16.1, GRUB 2.06 of Debian 12`,
    origin: "virt-s1/rhel-edge issue 1231: file `/httpboot/images/pxeboot/vmlinuz' not found",
    expected: [['gone', 'kernel-missing']],
    dhcp: { bootFile: 'shimx64.efi', nextServer: '192.0.2.1' },
    files: {
      'tftpboot/shimx64.efi': shim,
      'tftpboot/grubx64.efi': grub,
      'tftpboot/grub/grub.cfg':
        'set timeout=1\nmenuentry x {\n  linux /images/RHEL-9/vmlinuz ip=dhcp\n  initrd /images/RHEL-9/initrd.img\n}\n',
    },
    act: async (world) => {
      world.machine('uefi')
      await world.served('RHEL-9/vmlinuz')
      await pause(3000)
    },
  },
  {
    name: 'initrd-missing-ipxe',
    about: 'an iPXE script written by hand names an initrd that is not here; iPXE does not start the kernel',
    client: rom,
    origin: 'docs/boots.md',
    expected: [['stalled', 'initrd-missing']],
    dhcp: { ipxeFile: 'http://192.0.2.1:8080/boot.ipxe' },
    files: {
      'tftpboot/boot.ipxe': `#!ipxe\nkernel http://192.0.2.1:8080${image}/vmlinuz\ninitrd http://192.0.2.1:8080${image}/initrd.gz\nboot\n`,
    },
    act: async (world) => {
      world.machine('bios')
      await world.served('initrd.gz')
      await pause(3000)
    },
  },
  {
    name: 'initrd-broken-off-memory',
    about: 'an initrd of 300 MiB, and a machine with 128 MiB',
    client: rom,
    origin: 'docs/boots.md: too little memory for kernel and initrd',
    expected: [['stalled', 'initrd-broken-off']],
    dhcp: { ipxeFile: 'http://192.0.2.1:8080/boot.ipxe' },
    files: {
      'tftpboot/big/initrd.img': { size: 300 * 2 ** 20 },
      'tftpboot/boot.ipxe': `#!ipxe\nkernel http://192.0.2.1:8080${image}/vmlinuz\ninitrd http://192.0.2.1:8080/big/initrd.img\nboot\n`,
    },
    act: async (world) => {
      world.machine('bios', { memory: 128 })
      await world.served('big/initrd.img')
      await pause(2000)
    },
  },
  {
    name: 'initrd-broken-off-cable',
    about: 'the cable is pulled while the initrd is loaded by TFTP',
    client: `${rom}, PXELINUX 6.04`,
    origin: 'docs/boots.md: the line was lost',
    expected: [['stalled', 'initrd-broken-off']],
    dhcp: pxelinuxDhcp,
    files: chain,
    act: async (world) => {
      const machine = world.machine('bios')
      await world.until((event) => event.type === 'sending' && event.path.endsWith('initrd.img'))
      await machine.stop()
      await world.served('initrd.img')
    },
  },
  {
    name: 'plan-refused',
    about: 'the guest names a tree that is not here',
    client: rom,
    origin: 'docs/boots.md',
    expected: [['gone', 'plan-refused']],
    isProxy: true,
    guest: { tree: 'rocky-9.4' },
    act: async (world) => {
      world.machine('bios')
      await world.served('/boot/by')
      await pause(3000)
    },
  },
]
