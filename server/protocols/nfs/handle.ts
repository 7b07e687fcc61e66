/**
 * File handles as bytes. NFSv3 allows 64 (RFC 1813 section 2.4):
 *
 *     1 | digest (16) | path in UTF-8 (up to 47)     the handle contains the path
 *     2 | digest (16)                                the table of long paths contains it
 *     3 | digest (16) | path                         as 1, for a symlink itself
 *     4 | digest (16)                                as 2, for a symlink itself
 *
 * The digest is made from the path with a secret key. So a client cannot make up a handle, and a path has one
 * handle as long as we have the key. A path has a second one while a symlink is there (`Handles`).
 */
import { requestLimits } from '../../core/limits/requests.ts'

export type Handle = { readonly digest: Buffer; readonly isLink: boolean } & (
  | { readonly type: 'path'; readonly path: string }
  | { readonly type: 'table' }
)

export const maxHandleBytes = requestLimits.nfsHandle.bytes
export const digestBytes = 16
/** Longest path, in bytes, that fits into a handle. */
export const maxInlinePath = maxHandleBytes - 1 - digestBytes

const tagPath = 1
const tagTable = 2
/** Added to a tag. */
const ofLink = 2
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function encodeHandle(handle: Handle): Buffer {
  const more = handle.isLink ? ofLink : 0
  if (handle.type === 'table') return Buffer.concat([Buffer.of(tagTable + more), handle.digest])
  return Buffer.concat([Buffer.of(tagPath + more), handle.digest, Buffer.from(handle.path, 'utf8')])
}

/** Undefined for bytes that cannot be a handle of ours (NFS3ERR_BADHANDLE). Does not check the digest. */
export function decodeHandle(bytes: Buffer): Handle | undefined {
  if (bytes.length < 1 + digestBytes || bytes.length > maxHandleBytes) return undefined
  const digest = bytes.subarray(1, 1 + digestBytes)
  const rest = bytes.subarray(1 + digestBytes)
  const isLink = (bytes[0] ?? 0) > ofLink
  const tag = (bytes[0] ?? 0) - (isLink ? ofLink : 0)
  if (tag === tagTable) return rest.length === 0 ? { type: 'table', digest, isLink } : undefined
  if (tag !== tagPath) return undefined
  try {
    return { type: 'path', digest, isLink, path: utf8.decode(rest) }
  } catch {
    return undefined
  }
}
