import { type DhcpOptions, optionCode } from './option.ts'
import { decodePxe } from './pxe-vendor.ts'

/**
 * Option 175, which gPXE and iPXE fill with sub-options of their own, in the form of PXE's. In a request there
 * is one for each feature that was built in (iPXE `src/include/ipxe/features.h`).
 */
const featureCode: Readonly<Record<number, string>> = {
  16: 'pxeext',
  17: 'iscsi',
  18: 'aoe',
  19: 'http',
  20: 'https',
  21: 'tftp',
  22: 'ftp',
  23: 'dns',
  24: 'bzimage',
  25: 'multiboot',
  26: 'slam',
  27: 'srp',
  32: 'nbi',
  33: 'pxe',
  34: 'elf',
  35: 'comboot',
  36: 'efi',
  37: 'fcoe',
  38: 'vlan',
  39: 'menu',
  40: 'sdi',
  41: 'nfs',
}

/** The features that gPXE or iPXE says it has; undefined for all other clients. */
export function etherbootFeatures(options: DhcpOptions): ReadonlySet<string> | undefined {
  const value = options.get(optionCode.etherboot)
  const found = value && decodePxe(value)
  if (!found) return undefined
  const features = [...found.keys()].map((code) => featureCode[code])
  return new Set(features.filter((feature) => feature !== undefined))
}
