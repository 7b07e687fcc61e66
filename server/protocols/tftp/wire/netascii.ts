const lf = 0x0a
const cr = 0x0d
const nul = 0x00

/**
 * Octets as netascii (RFC 764's network virtual terminal): LF is sent as CR LF, a bare CR as CR NUL. `tsize`
 * must give the size of the converted text, so the whole text is converted before the first packet is sent.
 */
export function toNetascii(bytes: Uint8Array): Uint8Array {
  const size = netasciiSize(bytes)
  if (size === bytes.length) return bytes
  const out = new Uint8Array(size)
  let at = 0
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0
    if (byte === lf) out[at++] = cr
    out[at++] = byte
    if (byte === cr) out[at++] = nul
  }
  return out
}

function netasciiSize(bytes: Uint8Array): number {
  let size = bytes.length
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (byte === lf || byte === cr) size++
  }
  return size
}
