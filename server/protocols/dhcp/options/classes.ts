import { bytesOf, type DhcpOptions, optionCode, textOf } from './option.ts'

/** Option 60, RFC 2132 section 9.13: the kind of client, such as `PXEClient:Arch:00007:UNDI:003010`. */
export function vendorClass(options: DhcpOptions): string | undefined {
  const value = options.get(optionCode.vendorClass)
  return value && value.length > 0 ? textOf(value) : undefined
}

/**
 * Option 77, RFC 3004: a list of classes, each with its length in front. iPXE, gPXE and Microsoft's client
 * send one bare text instead (`69 50 58 45` for iPXE). A value that is not exactly a list is read as such a
 * text.
 */
export function userClasses(options: DhcpOptions): readonly string[] {
  const value = options.get(optionCode.userClass)
  if (!value || value.length === 0) return []
  return listOf(value) ?? [textOf(value)]
}

function listOf(value: Uint8Array): string[] | undefined {
  const classes: string[] = []
  for (let at = 0; at < value.length; ) {
    const length = value[at] ?? 0
    const end = at + 1 + length
    // RFC 3004 section 4: a class has at least one octet.
    if (length === 0 || end > value.length) return undefined
    classes.push(textOf(value.subarray(at + 1, end)))
    at = end
  }
  return classes
}

/**
 * Encodes the value of option 77 in the list form of RFC 3004.
 *
 * @throws RangeError for a class that is empty or longer than 255 octets.
 */
export function encodeUserClasses(classes: readonly string[]): Uint8Array {
  const parts = classes.map((name) => {
    if (name.length === 0 || name.length > 255)
      throw new RangeError(`user class of ${name.length} octets; 1 to 255 fit`)
    return Buffer.concat([Buffer.from([name.length]), bytesOf(name)])
  })
  return Buffer.concat(parts)
}
