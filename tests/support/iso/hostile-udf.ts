import { seal, tagsIn, type UdfShape, type WrittenUdf, writeUdf } from './write-udf.ts'

/** A hostile image, and the message that it must be refused with. */
export interface Hostile {
  readonly bytes: Buffer
  readonly says: string
}

export const small = (shape: UdfShape['files'], rest: Omit<UdfShape, 'files'> = {}) =>
  writeUdf({ files: shape, blockBytes: 512, ...rest })

/** A small image with bytes changed in one descriptor, whose checksums are corrected. */
export function changed(
  edit: (written: WrittenUdf) => { at: number; says: string },
  shape: UdfShape['files'] = { 'a/b/file': { bytes: 'content', pieceBlocks: 1 } },
  rest: Omit<UdfShape, 'files'> = {},
): Hostile {
  const written = small(shape, rest)
  const { at, says } = edit(written)
  seal(written.bytes, at)
  return { bytes: written.bytes, says }
}

/** A small image with the file entry of `a/b/file` changed. */
export function changedEntry(edit: (bytes: Buffer, at: number) => string, path = 'a/b/file'): Hostile {
  return changed(({ bytes, entries }) => {
    const at = entries.get(path)?.at ?? 0
    return { at, says: edit(bytes, at) }
  })
}

/** Changes a volume descriptor in both sequences; otherwise a reader would use the intact one. */
export function changedVolume(id: number, edit: (bytes: Buffer, at: number) => string): Hostile {
  const { bytes } = small({ file: 'x' })
  const [first = '', ...others] = tagsIn(bytes, id).map((at) => {
    const says = edit(bytes, at)
    seal(bytes, at)
    return says
  })
  if (others.length !== 1) throw new Error(`${others.length + 1} sequences with the tag ${id}`)
  return { bytes, says: first }
}

/** Changes the identifier of `a` in the root, which follows those of the parent and of a deleted file. */
export function changedIdentifier(edit: (bytes: Buffer, at: number) => string, mend = true): Hostile {
  const { bytes, folders } = small({ 'a/b/file': 'x' })
  const at = tagsIn(bytes, 257).filter((each) => each >= (folders.get('') ?? 0))[2] ?? 0
  const says = edit(bytes, at)
  if (mend) seal(bytes, at)
  return { bytes, says }
}

/** Makes the identifier of a folder's only child point elsewhere. */
export function withAddress(written: WrittenUdf, name: string, block: number, says: string): Hostile {
  const { bytes } = written
  const at = tagsIn(bytes, 257).find((each) => {
    const start = each + 38 + bytes.readUInt16LE(each + 36)
    return bytes[each + 18] === 2 && bytes.toString('latin1', start, start + 2) === `\b${name}`
  })
  if (at === undefined) throw new Error(`no identifier of ${name}`)
  bytes.writeUInt32LE(block, at + 24)
  seal(bytes, at)
  return { bytes, says }
}
