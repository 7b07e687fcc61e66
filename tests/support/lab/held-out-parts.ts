import { heldOutTree } from './held-out.ts'

/** What many boots with a fault are made of: the loaders of Debian 12, and what firmware calls itself. */

export const pxelinux = { copyOf: '/usr/lib/PXELINUX/pxelinux.0' }
export const ldlinux = { copyOf: '/usr/lib/syslinux/modules/bios/ldlinux.c32' }
export const shim = { copyOf: '/usr/lib/shim/shimx64.efi.signed' }
export const grub = { copyOf: '/usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed' }
export const rom = 'QEMU 7.2 SeaBIOS with its iPXE ROM'
export const ovmf = 'OVMF 2022.11'
/** PXELINUX by TFTP, and what a DHCP server says of it. */
export const chain = { 'tftpboot/pxelinux.0': pxelinux, 'tftpboot/ldlinux.c32': ldlinux }
export const pxelinuxDhcp = { bootFile: 'pxelinux.0', nextServer: '192.0.2.1' }
export const image = `/trees/${heldOutTree}/images/pxeboot`
