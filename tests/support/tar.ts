/**
 * One entry for `tarOf`; `type` as in the header: 0 file, 1 hard link, 2 symlink, 5 folder, L long name, x
 * pax.
 */
export interface TarSpec {
  readonly path: string
  readonly type?: string
  readonly data?: string | Buffer
  readonly target?: string
}

/** A ustar archive of these entries, unchecked: names that lead out of the archive are written, too. */
export function tarOf(entries: readonly TarSpec[]): Buffer {
  const blocks = entries.flatMap(({ path, type = '0', data = '', target = '' }) => {
    const body = Buffer.from(data)
    const header = Buffer.alloc(512)
    // Name, mode, size, mtime, blanks for the checksum, type, target, magic and version (POSIX, ustar).
    header.write(path, 0, 100)
    header.write('0000644\0', 100)
    header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124)
    header.write(`${(1_700_000_000).toString(8)}\0`, 136)
    header.write('        ', 148)
    header.write(type, 156)
    header.write(target, 157, 100)
    header.write('ustar\x0000', 257)
    const sum = header.reduce((total, byte) => total + byte, 0)
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]
  })
  // Two blocks of zeros end an archive.
  return Buffer.concat([...blocks, Buffer.alloc(2 * 512)])
}

/** An ar archive, the format of `.deb` packages. */
export function arOf(members: Readonly<Record<string, Buffer>>): Buffer {
  const parts = Object.entries(members).flatMap(([name, data]) => [
    // Name, time, owner, group, mode, size and the end mark (ar(5)).
    Buffer.from(
      `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`,
    ),
    data,
    Buffer.alloc(data.length % 2, '\n'),
  ])
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts])
}
