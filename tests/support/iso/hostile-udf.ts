import { fieldAt, seal, tags, tagsIn, type UdfShape, type WrittenUdf, writeUdf } from './write-udf.ts'

/** A hostile image, and the message that it must be refused with. */
export interface Hostile {
  readonly bytes: Buffer
  readonly says: string
}

/** A small image: its blocks have 512 bytes. */
export const small = (shape: UdfShape['files'], rest: Omit<UdfShape, 'files'> = {}) =>
  writeUdf({ files: shape, blockBytes: 512, ...rest })

/**
 * A small image with bytes changed in one descriptor. `edit` returns the position of that descriptor, whose
 * checksums are then corrected.
 */
export function changed(
  edit: (written: WrittenUdf) => { at: number; says: string },
  shape: UdfShape['files'] = { 'a/b/file': 'content' },
  rest: Omit<UdfShape, 'files'> = {},
): Hostile {
  const written = small(shape, rest)
  const { at, says } = edit(written)
  seal(written.bytes, at)
  return { bytes: written.bytes, says }
}

/** A small image with the file entry of `path` changed. `edit` gets its position, and returns the message. */
export function changedEntry(edit: (bytes: Buffer, at: number) => string, path = 'a/b/file'): Hostile {
  return changed(({ bytes, entries }) => {
    const at = entries.get(path)?.at ?? 0
    return { at, says: edit(bytes, at) }
  })
}

/**
 * Changes the volume descriptor with this tag in both sequences; otherwise a reader would use the intact one. The
 * message for the main sequence, which is the first, is the one that a reader gives.
 */
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

/**
 * Changes the identifier of `a` in the root, which follows those of the parent and of a deleted file. Its
 * checksums are corrected, or else left as they are.
 */
export function changedIdentifier(
  edit: (bytes: Buffer, at: number) => string,
  { checksums }: { readonly checksums: 'corrected' | 'left' } = { checksums: 'corrected' },
): Hostile {
  const { bytes, folders } = small({ 'a/b/file': 'x' })
  const at = tagsIn(bytes, tags.fileIdentifier).filter((each) => each >= (folders.get('') ?? 0))[2] ?? 0
  const says = edit(bytes, at)
  if (checksums === 'corrected') seal(bytes, at)
  return { bytes, says }
}

/** Makes the identifier of a folder with this name of one letter point elsewhere. */
export function withAddress(written: WrittenUdf, name: string, block: number, says: string): Hostile {
  const { bytes } = written
  const field = fieldAt.fileIdentifier
  const at = tagsIn(bytes, tags.fileIdentifier).find((each) => {
    const start = each + field.name + bytes.readUInt16LE(each + field.useLength)
    const isFolder = bytes[each + field.flags] === 2
    // A name begins with the number of bits of a character: 8, which is \b.
    return isFolder && bytes.toString('latin1', start, start + 2) === `\b${name}`
  })
  if (at === undefined) throw new Error(`no identifier of ${name}`)
  bytes.writeUInt32LE(block, at + field.icb + 4)
  seal(bytes, at)
  return { bytes, says }
}
