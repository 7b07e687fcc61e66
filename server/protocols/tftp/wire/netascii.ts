const lf = 0x0a
const cr = 0x0d
const nul = 0x00

/**
 * Octets as netascii (RFC 764's network virtual terminal): LF is sent as CR LF, a bare CR as CR NUL. The size of the
 * result is what `tsize` has to say, so the whole text is converted before the first packet.
 */
export function toNetascii(bytes: Uint8Array): Uint8Array {
  const grown = netasciiSize(bytes)
  if (grown === bytes.length) return bytes
  const out = new Uint8Array(grown)
  let at = 0
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0
    if (byte === lf) out[at++] = cr
    out[at++] = byte
    if (byte === cr) out[at++] = nul
  }
  return out
}

export function netasciiSize(bytes: Uint8Array): number {
  let size = bytes.length
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === lf || byte === cr) size++
  }
  return size
}

/** The way back: CR LF is LF, CR NUL is CR. Anything else behind a CR is kept as it is, as tftp-hpa does. */
export function fromNetascii(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length)
  let at = 0
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0
    const next = bytes[i + 1]
    if (byte === cr && next === lf) {
      out[at++] = lf
      i++
    } else if (byte === cr && next === nul) {
      out[at++] = cr
      i++
    } else out[at++] = byte
  }
  return out.subarray(0, at)
}
