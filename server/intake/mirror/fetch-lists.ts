import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isChecksumList } from '../../verify/documents/checksum-list.ts'
import type { ImageListing } from '../../verify/verify-image.ts'
import { type FetchOptions, fetchFile } from './fetch-file.ts'
import { isPlainName } from './upstream.ts'
import type { UpstreamPool } from './upstream-pool.ts'

/** Asked for where a folder is not listed: Debian, Ubuntu, Rocky, Alma and CentOS use one of these names. */
const usualNames = ['SHA256SUMS', 'CHECKSUM']
const signatureEndings = ['', '.asc', '.gpg', '.sign', '.sig']
/** The list of a folder of images has some KiB. */
const maxListBytes = 4 * 1024 * 1024
const maxFiles = 40

/**
 * Fetches the checksum lists beside an image, and their signatures, into a folder of their own. An image is
 * signed in such a list, not in itself. Missing lists are not an error here; a policy that requires a
 * signature notices.
 *
 * @param parents The folder of the file, on each mirror.
 */
export async function fetchLists(
  folder: string,
  parents: UpstreamPool,
  name: string,
  options: FetchOptions = {},
): Promise<ImageListing> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  for (const path of (await listNames(parents, name)).slice(0, maxFiles)) {
    const file = { path, atMostBytes: maxListBytes, isOptional: true }
    await fetchFile(parents, file, join(folder, path), options)
  }
  return { folder, name }
}

async function listNames(parents: UpstreamPool, name: string): Promise<readonly string[]> {
  const names = await parents.upstreams[0]?.list('').catch(() => undefined)
  if (names) return names.filter((each) => isPlainName(each) && isListOrSignature(each))
  return [...usualNames, `${name}.CHECKSUM`].flatMap((list) =>
    signatureEndings.map((ending) => `${list}${ending}`),
  )
}

function isListOrSignature(name: string): boolean {
  return isChecksumList(name.replace(/\.(?:asc|gpg|sign|sig)$/, ''))
}
