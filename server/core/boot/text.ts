/** Bytes that a text takes in UTF-8: what every limit of a loader and a kernel counts. */
export function byteLength(text: string): number {
  if (/^[\x00-\x7f]*$/.test(text)) return text.length
  let bytes = 0
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
  }
  return bytes
}
