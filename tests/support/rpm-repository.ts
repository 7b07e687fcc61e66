import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { writeBelow } from './made-tree.ts'

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex')

/**
 * Writes a repository with the layout of createrepo_c: packages, `primary.xml.gz` and `repomd.xml`, with
 * right digests.
 *
 * @param base The `xml:base` of each package. The packages are written below a relative one, and not at all for
 *   another.
 */
export function makeRepository(
  folder: string,
  packages: Readonly<Record<string, string>>,
  base?: string,
): void {
  const xmlBase = base === undefined ? '' : ` xml:base="${base}"`
  const entries = Object.entries(packages).map(([path, data]) => {
    if (!/^\/|:/.test(base ?? '')) writeBelow(folder, `${base ?? '.'}/${path}`, data)
    const name = path.replace(/.*\/|\.rpm$/g, '')
    // The summary catches a reader that searches the text for `<location` and does not parse it.
    return `<package type="rpm"><name>${name}</name><arch>noarch</arch><version epoch="0" ver="1" rel="1"/>
<checksum type="sha256" pkgid="YES">${sha256(data)}</checksum><summary>a &lt;location href="x"/&gt; trap</summary>
<size package="${Buffer.byteLength(data)}" installed="1" archive="1"/><location${xmlBase} href="${path.replace(/&/g, '&amp;')}"/>
<format/></package>`
  })
  const primary = `<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" packages="${entries.length}">
${entries.join('\n')}
</metadata>
`
  const packed = gzipSync(primary)
  const name = `repodata/${sha256(packed)}-primary.xml.gz`
  writeBelow(folder, name, packed)
  writeBelow(
    folder,
    'repodata/repomd.xml',
    `<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>1</revision>
  <data type="primary">
    <checksum type="sha256">${sha256(packed)}</checksum>
    <open-checksum type="sha256">${sha256(primary)}</open-checksum>
    <location href="${name}"/>
    <timestamp>1</timestamp>
    <size>${packed.length}</size>
    <open-size>${primary.length}</open-size>
  </data>
</repomd>
`,
  )
}

/** Small packages, in one folder for each first letter as in Fedora. */
export function somePackages(count: number, prefix = 'p'): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [
      `Packages/${prefix}/${prefix}${n}-1-1.noarch.rpm`,
      `package ${prefix}${n} ${'x'.repeat(n % 50)}\n`,
    ]),
  )
}
