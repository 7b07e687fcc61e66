import { XMLParser } from 'fast-xml-parser'
import { Failure, failureMessage } from '../../core/failure.ts'
import { documentLimits } from '../../core/limits/documents.ts'
import { parseDigest } from '../../core/tree/descriptors/treeinfo-checksums.ts'
import type { Digest } from '../../core/tree/tree.ts'
import { type Location, locationOf } from './location.ts'

/** A file of repository metadata that `repomd.xml` names. */
export interface MetadataFile extends Location {
  /** `primary`, `filelists`, `group`, `updateinfo`, ... */
  readonly type: string
  readonly size?: number
  readonly digest?: Digest
}

/** The library may quote the whole document in its message. */
const longestReason = 200

/** Elements that are read as a list, even if there is only one. */
const repeatedElements = new Set(['repomd.data'])
/** Up to 15 digits: any such number is exact. */
const wholeNumber = /^\d{1,15}$/
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  removeNSPrefix: true,
  maxNestedTags: documentLimits.repomd.depth,
  // Values stay text: a digest may consist of digits alone.
  parseTagValue: false,
  parseAttributeValue: false,
  isArray: (_name, path) => repeatedElements.has(String(path)),
})

/**
 * Reads `repomd.xml` as createrepo writes it.
 *
 * @throws Failure `invalid-data` when the text is not a `repomd.xml`.
 */
export function parseRepomd(text: string): readonly MetadataFile[] {
  if (/<!DOCTYPE|<!ENTITY/i.test(text))
    throw new Failure('invalid-data', 'repomd.xml declares a document type, which such a file does not need')
  let document: unknown
  try {
    const validate = true
    document = parser.parse(text, validate)
  } catch (error) {
    throw new Failure(
      'invalid-data',
      `repomd.xml is not XML: ${failureMessage(error).slice(0, longestReason)}`,
    )
  }
  const root = member(document, 'repomd')
  if (typeof root !== 'object' || root === null)
    throw new Failure('invalid-data', 'repomd.xml has no <repomd> element')
  const data = member(root, 'data')
  return (Array.isArray(data) ? data : []).flatMap((element) => {
    const location = member(element, 'location')
    const href = member(location, '@href')
    if (typeof href !== 'string' || href === '') return []
    const place = locationOf(href, textOf(member(location, '@base')))
    if (!place) return []
    const checksum = member(element, 'checksum')
    const digest = parseDigest(`${textOf(member(checksum, '@type'))}:${textOf(member(checksum, '#text'))}`)
    const size = textOf(member(element, 'size'))
    return [
      {
        type: textOf(member(element, '@type')),
        ...place,
        ...(wholeNumber.test(size) && { size: Number(size) }),
        ...(digest && { digest }),
      },
    ]
  })
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.trim() : ''
}
