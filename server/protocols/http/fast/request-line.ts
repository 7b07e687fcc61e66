const firstLine = /^(GET|HEAD) ([\x20-\x7e\x80-\xff]+) (HTTP\/1\.[01])\r?\n/

/**
 * Makes a request line of a boot loader one that node's parser reads. GRUB 2.06 sends a path as its script has it:
 * with raw spaces, raw UTF-8, and without the first slash (`GET plain/x HTTP/1.1`); busybox wget sends raw UTF-8.
 * The line has one reading, for the version ends it, and it is only a `GET` or `HEAD`; so we escape what should
 * have been, where RFC 9112 section 3 would have us answer 400 and the machine not boot.
 *
 * Looks at the first request of a connection: these clients open one per file.
 */
export function repairRequestLine(read: Buffer): Buffer {
  const [line, method, target = '', version] = firstLine.exec(read.toString('latin1', 0, 4096)) ?? []
  if (line === undefined || isPlain(target)) return read
  const escaped = target.replace(
    /[\x20\x80-\xff]/g,
    (c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  const slash = /^(\/|https?:\/\/|\*$)/i.test(target) ? '' : '/'
  const repaired = Buffer.from(`${method} ${slash}${escaped} ${version}\r\n`, 'latin1')
  return Buffer.concat([repaired, read.subarray(line.length)])
}

function isPlain(target: string): boolean {
  return target.startsWith('/') && /^[\x21-\x7e]*$/.test(target)
}
