import { withAddress } from './hostile-udf.ts'
import { writeIso } from './write-iso.ts'
import { writeUdf } from './write-udf.ts'

/** Names of one letter, in pairs: `a` and `b` are in the root, `c` and `d` in `a`, ... */
const letters = [...'abcdefghijklmnopqrstuvwxyz']
const pairs = (levels: number) =>
  Array.from({ length: levels }, (_, at) => [letters[2 * at] ?? '', letters[2 * at + 1] ?? ''] as const)

/** Two folders at each level, all empty but the first of each pair, and a file in the deepest. */
function filesOf(levels: number): Record<string, string> {
  const files: Record<string, string> = {}
  let path = ''
  for (const [first, second] of pairs(levels)) {
    files[`${path}${second}/own`] = 'x'
    path += `${first}/`
  }
  return { ...files, [`${path}file`]: 'content' }
}

/**
 * An ISO 9660 image in which the two folders of each level are one and the same: 2^levels paths lead to its
 * file.
 */
export function sharedIsoFolders(levels: number, more: Readonly<Record<string, string>> = {}): Buffer {
  const { bytes, folders } = writeIso({ files: { ...more, ...filesOf(levels) } })
  let parent = ''
  for (const [first, second] of pairs(levels)) {
    const from = folders.get(`${parent}${first}`)
    const to = folders.get(`${parent}${second}`)
    const above = folders.get(parent.slice(0, -1))
    if (!from || !to || !above) throw new Error(`no folder ${parent}${first}`)
    // The record of a folder has its block in both byte orders at 2, and its length at 10 (ECMA-119 9.1).
    for (let at = above.block * 2048; ; at += bytes[at] ?? 0) {
      if ((bytes[at] ?? 0) === 0) throw new Error(`no record of ${parent}${second}`)
      if (bytes.readUInt32LE(at + 2) !== to.block) continue
      bytes.writeUInt32LE(from.block, at + 2)
      bytes.writeUInt32BE(from.block, at + 6)
      bytes.writeUInt32LE(from.length, at + 10)
      bytes.writeUInt32BE(from.length, at + 14)
      break
    }
    parent += `${first}/`
  }
  return bytes
}

/** The same in UDF. */
export function sharedUdfFolders(levels: number, more: Readonly<Record<string, string>> = {}): Buffer {
  const written = writeUdf({ files: { ...more, ...filesOf(levels) }, blockBytes: 512 })
  let parent = ''
  for (const [first, second] of pairs(levels)) {
    withAddress(written, second, written.entries.get(`${parent}${first}`)?.block ?? 0, '')
    parent += `${first}/`
  }
  return written.bytes
}
