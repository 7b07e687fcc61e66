/**
 * What machines say about themselves, brought into one spelling. Every function takes what a client sent, however
 * odd, and gives the canonical form or undefined; none throws.
 */

/** Longer than any spelling of an identity that we know; what exceeds it is not looked at. */
const maxLength = 128

const macForm =
  /^(?:0[16][:-])?([0-9a-f]{2})([:.-]?)([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})\2([0-9a-f]{2})$/i
const ciscoMacForm = /^([0-9a-f]{2})([0-9a-f]{2})\.([0-9a-f]{2})([0-9a-f]{2})\.([0-9a-f]{2})([0-9a-f]{2})$/i

/**
 * A MAC address as lower case with colons. Read are `:`, `-`, `.` or nothing between the bytes, Cisco's
 * `5254.00aa.bb01`, any case, `%3A` (iPXE escapes the colons of a variable), and the hardware type that PXELINUX,
 * GRUB and `_Syslinux_BOOTIF` put in front: `01-` Ethernet, `06-` IEEE 802.
 */
export function canonicalMac(text: string): string | undefined {
  if (text.length > maxLength) return undefined
  const plain = text.trim().replace(/%3a/gi, ':')
  const match = macForm.exec(plain)
  if (match) {
    const [, first, , ...rest] = match
    return [first, ...rest].join(':').toLowerCase()
  }
  const cisco = ciscoMacForm.exec(plain)
  return cisco ? cisco.slice(1).join(':').toLowerCase() : undefined
}

const uuidForm = /^([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})$/i

/** What boards report that nobody gave a UUID: all zeros, or all ones (SMBIOS 7.2.1). It names no machine. */
export function isNoUuid(text: string): boolean {
  return /^(?:[0-]+|[f-]+)$/i.test(text.trim()) && uuidForm.test(text.trim())
}

/** A UUID as lower case with dashes, in the byte order it was given. Braces, `urn:uuid:`, missing dashes and any case are read. */
export function canonicalUuid(text: string): string | undefined {
  if (text.length > maxLength) return undefined
  const plain = text.trim().replace(/^urn:uuid:/i, '')
  const bare = plain.startsWith('{') && plain.endsWith('}') ? plain.slice(1, -1) : plain
  const match = uuidForm.exec(bare)
  if (!match) return undefined
  const [, low, , mid, high, clock, node] = match
  return `${low}-${mid}-${high}-${clock}-${node}`.toLowerCase()
}

/**
 * The same UUID with its first three groups in the other byte order. SMBIOS 2.6 (7.2.1) stores them little-endian;
 * PXELINUX 6 asks for the raw bytes (`44454c4c-4200-1035-...`) of the machine that iPXE and the kernel call
 * `4c4c4544-0042-3510-...`. Takes and gives the canonical form.
 */
export function swapUuid(uuid: string): string {
  const [low = '', mid = '', high = '', ...rest] = uuid.split('-')
  return [swapBytes(low), swapBytes(mid), swapBytes(high), ...rest].join('-')
}

function swapBytes(hex: string): string {
  return (hex.match(/../g) ?? []).reverse().join('')
}

/** A serial number without blanks around it and in lower case: vendors print and report them in different case. */
export function canonicalSerial(text: string): string | undefined {
  if (text.length > maxLength) return undefined
  const plain = text.trim().toLowerCase()
  return plain === '' ? undefined : plain
}

const ipv4Form = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/
const mappedForm = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/

/**
 * An IP address in its one spelling: IPv4 dotted, IPv6 as RFC 5952. `::ffff:10.0.0.7`, which a socket listening on
 * `::` reports for an IPv4 client, is `10.0.0.7`. A zone (`%eth0`) is dropped. Octets with leading zeros are
 * refused: some programs read them as octal.
 */
export function canonicalIp(text: string): string | undefined {
  if (text.length > maxLength) return undefined
  const plain = text.trim()
  const v4 = ipv4Form.exec(plain)
  if (v4) return v4.slice(1).every(isOctet) ? plain : undefined
  if (!plain.includes(':')) return undefined
  const address = plain.replace(/^\[(.*)\]$/, '$1').replace(/%[\w.-]+$/, '')
  if (!/^[0-9a-f:.]+$/i.test(address)) return undefined
  const url = `http://[${address}]/`
  if (!URL.canParse(url)) return undefined
  const canonical = new URL(url).hostname.slice(1, -1)
  const mapped = mappedForm.exec(canonical)
  if (!mapped) return canonical
  const [high, low] = [Number.parseInt(mapped[1] ?? '', 16), Number.parseInt(mapped[2] ?? '', 16)]
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}

function isOctet(digits: string): boolean {
  return String(Number(digits)) === digits && Number(digits) <= 255
}

/** `10.99.0.58` as PXELINUX, GRUB and U-Boot spell it in file names: `0A63003A`. Undefined for anything but IPv4. */
export function ipv4Hex(ip: string): string | undefined {
  const match = ipv4Form.exec(canonicalIp(ip) ?? '')
  return match
    ?.slice(1)
    .map((octet) => Number(octet).toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase()
}

/** `0A63003A` as `10.99.0.58`; undefined unless it is exactly eight hex digits. */
export function ipv4FromHex(hex: string): string | undefined {
  if (!/^[0-9a-f]{8}$/i.test(hex)) return undefined
  return (hex.match(/../g) ?? []).map((octet) => Number.parseInt(octet, 16)).join('.')
}

/** Whether an address lies in the network that a shortened name such as `0A63` stands for. */
export function ipv4HexCovers(prefix: string, ip: string): boolean {
  return prefix !== '' && (ipv4Hex(ip)?.startsWith(prefix.toUpperCase()) ?? false)
}
