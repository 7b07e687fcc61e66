import { run } from '../../../server/emulator/child.ts'
import { type HeldOut, pause } from './held-out.ts'
import { chain, grub, ldlinux, ovmf, pxelinux, pxelinuxDhcp, rom, shim } from './held-out-parts.ts'

const snponly = { copyOf: '/usr/lib/ipxe/snponly.efi' }
const ipxePxe = { copyOf: '/usr/lib/ipxe/ipxe.pxe' }

/** Faults before a machine has its kernel. */
export const beforeKernel: readonly HeldOut[] = [
  {
    name: 'no-offer-riscv64',
    about: 'a riscv64 board asks by DHCP; treeboot has no loader for it',
    client: 'udhcpc of busybox 1.35 with options 60 and 93',
    origin: 'docs/boots.md; option 93 27 of IANA',
    expected: [['gone', 'no-offer']],
    isProxy: true,
    act: async (world) => {
      await world.script(
        'busybox udhcpc -i eth0 -n -q -f -t 3 -T 1 -x 0x5d:001b -V PXEClient:Arch:00027:UNDI:003000 -s /bin/true',
      )
    },
  },
  {
    name: 'loader-missing-tftp',
    about: 'the DHCP server names undionly.kpxe, which nobody put here',
    client: rom,
    origin: 'poseidon/matchbox issue 483: undionly.kpxe.0',
    expected: [['gone', 'loader-missing']],
    dhcp: { bootFile: 'undionly.kpxe.0', nextServer: '192.0.2.1' },
    act: async (world) => {
      world.machine('bios')
      await world.served('undionly')
      await pause(4000)
    },
  },
  {
    name: 'loader-missing-http-boot',
    about: 'the DHCP server names the URL of a loader that is not here',
    client: `${ovmf} HTTP Boot`,
    origin: 'docs/boots.md; clients.md: HEAD, and then GET',
    expected: [['gone', 'loader-missing']],
    dhcp: { httpUrl: 'http://192.0.2.1:8080/EFI/BOOT/BOOTX64.EFI', nextServer: '192.0.2.1' },
    act: async (world) => {
      world.machine('uefi-http')
      await world.until((event) => event.type === 'served' && event.path.includes('BOOTX64'))
      await pause(5000)
    },
  },
  {
    name: 'second-loader-missing-http',
    about: 'shim by HTTP Boot, and no GRUB beside it',
    client: `${ovmf} HTTP Boot, shim 16.1`,
    origin: 'clients.md: by HTTP shim asks for //grubx64.efi',
    expected: [['gone', 'second-loader-missing']],
    dhcp: { httpUrl: 'http://192.0.2.1:8080/efi/shimx64.efi', nextServer: '192.0.2.1' },
    files: { 'tftpboot/efi/shimx64.efi': shim },
    act: async (world) => {
      world.machine('uefi-http')
      await world.until((event) => event.type === 'served' && event.path.includes('grubx64'))
      await pause(4000)
    },
  },
  {
    name: 'second-loader-missing-pxelinux',
    about: 'PXELINUX 6 without its library ldlinux.c32 beside it',
    client: `${rom}, PXELINUX 6.04`,
    origin: 'the usual "Failed to load ldlinux.c32"; clients.md: it looks in five more folders',
    expected: [['gone', 'second-loader-missing']],
    dhcp: { bootFile: 'bios/pxelinux.0', nextServer: '192.0.2.1' },
    files: { 'tftpboot/bios/pxelinux.0': pxelinux },
    act: async (world) => {
      world.machine('bios')
      await world.served('ldlinux')
      await pause(4000)
    },
  },
  {
    name: 'large-packets-lost-ipxe',
    about: 'a port of the switch with an MTU of 1280: frames of 1432 octets of TFTP data are dropped',
    client: rom,
    origin: 'docs/boots.md: a path with a smaller MTU',
    expected: [['gone', 'large-packets-lost']],
    dhcp: pxelinuxDhcp,
    files: chain,
    act: async (world) => {
      world.machine('bios', { mtu: 1280 })
      await world.served('pxelinux.0')
    },
  },
  {
    name: 'large-packets-lost-ovmf',
    about: 'the same with the windows of EDK2',
    client: ovmf,
    origin: 'docs/boots.md: a path with a smaller MTU',
    expected: [['gone', 'large-packets-lost']],
    dhcp: { bootFile: 'snponly.efi', nextServer: '192.0.2.1' },
    files: { 'tftpboot/snponly.efi': snponly },
    act: async (world) => {
      world.machine('uefi', { mtu: 1280 })
      await world.until((e) => e.type === 'served' && e.outcome === 'aborted' && e.silent === true)
      await pause(2000)
    },
  },
  {
    name: 'same-file-loop',
    about: 'the DHCP server sends iPXE to iPXE, for ever',
    client: `${rom}, ipxe.pxe 1.0.0+git-20190125`,
    origin:
      'lab.md: a loader that is given its own loader again loops; ipxe.org "breaking the infinite loop"',
    expected: [['gone', 'same-file-again']],
    dhcp: { bootFile: 'ipxe.pxe', nextServer: '192.0.2.1', ipxeFile: 'ipxe.pxe' },
    files: { 'tftpboot/ipxe.pxe': ipxePxe },
    act: async (world) => {
      world.machine('bios')
      await world.served('ipxe.pxe', { count: 6 })
    },
  },
  {
    name: 'other-server-firewall',
    about: 'a firewall drops TFTP to us',
    client: ovmf,
    origin: 'docs/boots.md: a firewall keeps the machine from UDP port 69',
    expected: [['gone', 'other-server']],
    isProxy: true,
    act: async (world) => {
      world.drop('INPUT', '-p', 'udp', '--dport', '69')
      world.machine('uefi')
      await world.until((event) => event.type === 'dhcp' && event.step === 'leased')
      await pause(15_000)
    },
  },
  {
    name: 'other-server-second',
    about: 'the firmware takes our loader, and then iPXE takes the boot file of the other DHCP server',
    client: `${ovmf}, snponly.efi 1.0.0+git-20190125`,
    origin: 'docs/boots.md; two PXE services in one network',
    expected: [['gone', 'other-server']],
    isProxy: true,
    dhcp: { bootFile: 'elsewhere.efi', nextServer: '192.0.2.2' },
    act: async (world) => {
      world.machine('uefi')
      await world.until((event) => event.type === 'dhcp' && event.step === 'leased', { count: 2 })
      await pause(8000)
    },
  },
  {
    name: 'no-address',
    about: 'no DHCP server gives addresses',
    client: ovmf,
    origin: 'docs/boots.md',
    expected: [['gone', 'no-address']],
    isProxy: true,
    dhcp: 'none',
    act: async (world) => {
      world.machine('uefi')
      await world.until((event) => event.type === 'dhcp' && event.step === 'offered', { count: 4 })
    },
  },
  {
    name: 'offer-not-taken',
    about: 'the machine is switched off after its first question',
    client: rom,
    origin: 'docs/boots.md',
    expected: [['gone', 'offer-not-taken']],
    isProxy: true,
    dhcp: 'none',
    act: async (world) => {
      const machine = world.machine('bios')
      await world.until((event) => event.type === 'dhcp' && event.step === 'offered')
      await machine.stop()
    },
  },
  {
    name: 'grub-without-configuration-http',
    about: 'GRUB of Debian 12 after HTTP Boot with a name server: it does not find its configuration',
    client: `${ovmf} HTTP Boot, shim 16.1, GRUB 2.06 of Debian 12`,
    origin: 'lab.md: a DNS option breaks GRUB 2.06 after UEFI HTTP Boot',
    expected: [['gone', 'grub-without-configuration']],
    dhcp: {
      httpUrl: 'http://192.0.2.1:8080/shimx64.efi',
      nextServer: '192.0.2.1',
      gateway: '192.0.2.2',
    },
    files: { 'tftpboot/shimx64.efi': shim, 'tftpboot/grubx64.efi': grub },
    act: async (world) => {
      world.machine('uefi-http')
      await world.served('grubx64')
      await pause(30_000)
    },
  },
  {
    name: 'configuration-missing-stranger',
    about: 'an unknown machine, and unknown: ignore',
    client: `${rom}, PXELINUX 6.04`,
    origin: 'docs/boots.md',
    expected: [['gone', 'configuration-missing']],
    dhcp: pxelinuxDhcp,
    files: chain,
    config: { unknown: 'ignore', guests: {} },
    act: async (world) => {
      world.machine('bios')
      await world.served('pxelinux.cfg/default')
      await pause(3000)
    },
  },
  {
    name: 'loader-refused-bios-efi',
    about: 'the DHCP server sends the loader for UEFI to a machine with BIOS',
    client: rom,
    origin: 'docs/boots.md: it is built for another processor; iPXE says "Exec format error"',
    expected: [['gone', 'loader-refused']],
    dhcp: { bootFile: 'snponly.efi', nextServer: '192.0.2.1' },
    files: { 'tftpboot/snponly.efi': snponly },
    act: async (world) => {
      world.machine('bios')
      await world.served('snponly.efi')
      await pause(5000)
    },
  },
  {
    name: 'loader-refused-http-secure',
    about: 'Secure Boot refuses an unsigned loader by HTTP Boot',
    client: `${ovmf} with Secure Boot, HTTP Boot`,
    origin: 'docs/boots.md',
    expected: [['gone', 'loader-refused']],
    dhcp: { httpUrl: 'http://192.0.2.1:8080/snponly.efi', nextServer: '192.0.2.1' },
    files: { 'tftpboot/snponly.efi': snponly },
    act: async (world) => {
      const off = ['-fw_cfg', 'name=opt/org.tianocore/IPv4PXESupport,string=no']
      const variables = ['-fw_cfg', 'name=opt/org.tianocore/IPv6PXESupport,string=no']
      world.machine('secure', { more: [...off, ...variables] })
      await world.served('snponly.efi')
      await pause(8000)
    },
  },
  {
    name: 'menu-left',
    about: 'an unknown machine stands at the menu, and nobody chooses',
    client: rom,
    origin: 'docs/boots.md',
    expected: [['gone', 'menu-left']],
    isProxy: true,
    config: { guests: {} },
    act: async (world) => {
      world.machine('bios')
      await world.served('/boot/by')
      await pause(10_000)
    },
  },
  {
    name: 'went-quiet',
    about: 'a script that was written by hand waits at a question',
    client: rom,
    origin: 'docs/boots.md',
    expected: [['gone', 'went-quiet']],
    isProxy: true,
    files: { 'tftpboot/boot.ipxe': '#!ipxe\necho Which system?\nsleep 600\n' },
    act: async (world) => {
      world.machine('bios')
      await world.served('/boot.ipxe')
      await pause(2000)
    },
  },
  {
    name: 'second-loader-missing-lpxelinux',
    about: 'LPXELINUX without its library, in a folder',
    client: `${rom}, LPXELINUX 6.04`,
    origin: 'added after the rule was mended for ldlinux.c32',
    expected: [['gone', 'second-loader-missing']],
    dhcp: { bootFile: 'a/b/lpxelinux.0', nextServer: '192.0.2.1' },
    files: { 'tftpboot/a/b/lpxelinux.0': { copyOf: '/usr/lib/PXELINUX/lpxelinux.0' } },
    act: async (world) => {
      world.machine('bios')
      await world.served('ldlinux')
      await pause(4000)
    },
  },
  {
    name: 'library-in-another-folder',
    about: 'PXELINUX finds its library in the third folder; the machine is unknown, and unknown: ignore',
    client: `${rom}, PXELINUX 6.04`,
    origin: 'added after the rule was mended: a name that was found after all is no reason',
    expected: [['gone', 'configuration-missing']],
    dhcp: pxelinuxDhcp,
    files: { 'tftpboot/pxelinux.0': pxelinux, 'tftpboot/isolinux/ldlinux.c32': ldlinux },
    config: { unknown: 'ignore', guests: {} },
    act: async (world) => {
      world.machine('bios')
      await world.served('pxelinux.cfg/default')
      await pause(3000)
    },
  },
  {
    name: 'no-address-of-loader',
    about: 'the firmware gets an address, and iPXE none: the DHCP server has stopped meanwhile',
    client: `${ovmf}, snponly.efi 1.0.0+git-20190125`,
    origin:
      'added after the rule was mended for other-server; spanning tree begins anew when iPXE opens the card',
    expected: [['gone', 'no-address']],
    isProxy: true,
    act: async (world) => {
      world.machine('uefi')
      await world.served('snponly.efi')
      run(...world.lan.inside(['ip', 'link', 'set', 'host0', 'down']))
      await pause(15_000)
    },
  },
  {
    name: 'large-packets-lost-fragments',
    about: 'a firewall drops fragments, and the DHCP server names us: no packet but those of TFTP is heard',
    client: 'atftp 0.8 with blocks of 8192 octets',
    origin: 'added after the rule was mended: a transfer of which no block arrives begins a boot',
    expected: [['gone', 'large-packets-lost']],
    files: chain,
    act: async (world) => {
      world.drop('OUTPUT', '-p', 'udp', '-m', 'length', '--length', '1400:65535')
      await world.script(
        'timeout 20 atftp --option "blksize 8192" --tftp-timeout 2 -g -r pxelinux.0 -l got $S',
      )
      await world.until((event) => event.type === 'served', { ms: 60_000 })
    },
  },
]
