import { canonicalUuid, isPlaceholderUuid, swapUuid } from '../../../core/net/uuid.ts'
import { type DhcpOptions, optionCode } from './option.ts'

/** The options in which a PXE client describes itself: RFC 4578. */

/**
 * Option 93, section 2.1: the architectures that the client can boot, numbers of 16 bits each. Nearly all
 * clients send a single number.
 */
export function clientArchs(options: DhcpOptions): readonly number[] {
  const value = options.get(optionCode.clientArch)
  if (!value || value.length % 2 !== 0) return []
  const archs: number[] = []
  for (let at = 0; at < value.length; at += 2) archs.push(((value[at] ?? 0) << 8) | (value[at + 1] ?? 0))
  return archs
}

export function encodeClientArchs(archs: readonly number[]): Uint8Array {
  return Uint8Array.from(archs.flatMap((arch) => [arch >> 8, arch & 0xff]))
}

/**
 * Option 94, section 2.2: the interface between boot loader and network card. Type 1 is UNDI; EFI firmware
 * says 3.x, HTTP Boot 3.0.
 */
export interface NetworkInterface {
  readonly type: number
  readonly major: number
  readonly minor: number
}

export function networkInterface(options: DhcpOptions): NetworkInterface | undefined {
  const value = options.get(optionCode.networkInterface)
  if (value?.length !== 3) return undefined
  const [type = 0, major = 0, minor = 0] = value
  return { type, major, minor }
}

/**
 * Option 97, section 2.3: a type octet 0 and the machine's UUID as SMBIOS stores it, its first three groups
 * little-endian. The result is in the order of octets that the kernel and iPXE show.
 */
export function machineUuid(options: DhcpOptions): string | undefined {
  const value = options.get(optionCode.machineId)
  if (value?.length !== 17 || value[0] !== 0) return undefined
  const uuid = canonicalUuid(Buffer.from(value.subarray(1)).toString('hex'))
  return uuid === undefined || isPlaceholderUuid(uuid) ? undefined : swapUuid(uuid)
}

/** The value of option 97 for a UUID in its canonical form. */
export function encodeMachineUuid(uuid: string): Uint8Array {
  return Buffer.concat([Buffer.from([0]), Buffer.from(swapUuid(uuid).replaceAll('-', ''), 'hex')])
}
