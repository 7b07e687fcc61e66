import type { Protocol } from '../core/net/requester.ts'

/** A program that fetches files on a machine's way, and how it asks. */
export interface Client {
  /** For people. */
  readonly name: string
  readonly protocol: Extract<Protocol, 'http' | 'tftp' | 'ftp' | 'nfs'>
  /** TFTP: the options of its requests, in the order in which it sends them. */
  readonly options?: ReadonlyMap<string, string>
  /** TFTP: whether it goes on after block 65535 with block 0. */
  readonly wraps?: boolean
}

const tftp = (name: string, wraps: boolean, options: Readonly<Record<string, string>>): Client => ({
  name,
  protocol: 'tftp',
  wraps,
  options: new Map(Object.entries(options)),
})

/**
 * As seen on the wire; whether they wrap, by their sources: EDK2 `Mtftp4Rrq.c`, iPXE `net/udp/tftp.c`, syslinux 6.04
 * `core/fs/pxe/tftp.c`, GRUB 2.06 `net/tftp.c`. The PXE 2.1 specification says nothing of ROMs, which ask for blocks that
 * fit an Ethernet frame, and no ROM is known to wrap.
 */
export const clients = {
  pxeRom: tftp('the PXE ROM', false, { tsize: '0', blksize: '1456' }),
  edk2: tftp('the firmware', true, { tsize: '0', blksize: '1468', windowsize: '4' }),
  shim: tftp('shim', true, { blksize: '512', windowsize: '4' }),
  ipxe: tftp('iPXE', true, { blksize: '1432', tsize: '0' }),
  pxelinux: tftp('PXELINUX', true, { tsize: '0', blksize: '1408' }),
  grub: tftp('GRUB', true, { blksize: '1024', tsize: '0' }),
} as const

/** The same program by HTTP, or another one that knows no TFTP. */
export function byHttp(name: string): Client {
  return { name, protocol: 'http' }
}
