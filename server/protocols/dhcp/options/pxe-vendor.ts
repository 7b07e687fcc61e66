import { bytesOf, optionCode } from './option.ts'

/**
 * The sub-options of option 43 between PXE clients and servers. PXE 2.1 (Intel, 1999), section 2.4 "PXE DHCP
 * options", table 2-1.
 */
export const pxeCode = {
  discoveryControl: 6,
  bootMenu: 9,
  menuPrompt: 10,
  bootItem: 71,
} as const

/** Bits of PXE_DISCOVERY_CONTROL. */
export const discovery = {
  noBroadcast: 1,
  noMulticast: 2,
  /**
   * "If a boot file name is present in the offer, download it": no menu, no search for boot servers, no port
   * 4011.
   */
  useOffer: 8,
} as const

export type PxeOptions = ReadonlyMap<number, Uint8Array>

/** Decodes the sub-options; undefined for a value of another form, as other vendors use. */
export function decodePxe(value: Uint8Array): PxeOptions | undefined {
  const found = new Map<number, Uint8Array>()
  for (let at = 0; at < value.length; ) {
    const code = value[at] ?? 0
    if (code === optionCode.end) return found
    if (code === optionCode.pad) {
      at++
      continue
    }
    const length = value[at + 1]
    if (length === undefined) return undefined
    const end = at + 2 + length
    if (end > value.length) return undefined
    found.set(code, value.subarray(at + 2, end))
    at = end
  }
  return found
}

/** @throws RangeError for a value of more than 255 octets. */
export function encodePxe(options: PxeOptions): Uint8Array {
  const parts = [...options].map(([code, value]) => {
    if (value.length > 255) throw new RangeError(`PXE sub-option ${code} of ${value.length} octets; 255 fit`)
    return Buffer.concat([Buffer.from([code, value.length]), value])
  })
  return Buffer.concat([...parts, Buffer.from([optionCode.end])])
}

/**
 * Sub-options that tell the client to load the boot file of this packet at once. Without them BIOS ROMs
 * search for boot servers, some for a minute.
 */
export function useThisOffer(): Map<number, Uint8Array> {
  return new Map([[pxeCode.discoveryControl, Uint8Array.of(discovery.useOffer)]])
}

/**
 * Sub-options for the boot ROM of a Raspberry Pi 3, 4 or 5, which takes an offer only with the words
 * `Raspberry Pi Boot` in its boot menu. The item has type 0, and the prompt times out at once, as in
 * dnsmasq's `pxe-service=0,"Raspberry Pi Boot"`.
 */
export function raspberryPiMenu(): Map<number, Uint8Array> {
  const label = bytesOf('Raspberry Pi Boot')
  return new Map<number, Uint8Array>([
    [pxeCode.discoveryControl, Uint8Array.of(discovery.noBroadcast | discovery.noMulticast)],
    [pxeCode.menuPrompt, Buffer.concat([Buffer.from([0]), bytesOf('PXE')])],
    [pxeCode.bootMenu, Buffer.concat([Buffer.from([0, 0, label.length]), label])],
  ])
}
