import { Failure } from '../../failure.ts'
import type { Description, DescriptorFormat } from '../description.ts'
import { descriptorFormats } from './formats.ts'
import { createNotes, decodeText } from './text.ts'

/** Reads a descriptor by the first of these formats that fits it. Undefined when none does. */
export function tryReadDescriptor(
  file: string,
  bytes: Uint8Array,
  formats: readonly DescriptorFormat[],
): Description | undefined {
  const notes = createNotes(file)
  const text = decodeText(bytes, notes)
  for (const { read } of formats) {
    const description = read(file, text)
    if (description) return { ...description, problems: [...notes.list(), ...description.problems] }
  }
  return undefined
}

/**
 * Reads one descriptor file, without its tree. Its content decides its format. Its name only decides which
 * format is tried first, because people keep such files as `rhel7.treeinfo`, `.disk_info` or `content.bak`.
 *
 * @throws Failure `invalid-data` when the file has none of the formats.
 */
export function readDescriptor(fileName: string, bytes: Uint8Array): Description {
  const hasItsName = ({ paths }: DescriptorFormat) =>
    paths.some((path) => fileName.endsWith(path) || fileName.endsWith(path.replaceAll('/', '_')))
  const formats = [...descriptorFormats].sort((a, b) => Number(hasItsName(b)) - Number(hasItsName(a)))
  const found = tryReadDescriptor(fileName, bytes, formats)
  if (found) return found
  const names = descriptorFormats.map(({ name }) => name).join(', ')
  throw new Failure('invalid-data', `${fileName} is not a tree descriptor; expected one of ${names}`)
}
