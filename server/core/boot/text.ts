/** Bytes that a text takes in UTF-8: what every limit of a loader and a kernel counts. */
export function byteLength(text: string): number {
  if (/^[\x00-\x7f]*$/.test(text)) return text.length
  let bytes = 0
  for (const char of text) bytes += bytesOf(char.codePointAt(0) ?? 0)
  return bytes
}

/** RFC 3629, section 3. */
function bytesOf(code: number): number {
  if (code < 0x80) return 1
  if (code < 0x800) return 2
  return code < 0x10000 ? 3 : 4
}
