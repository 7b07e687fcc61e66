import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { upstreamLimits } from '../../core/limits/upstreams.ts'
import { isChecksumList } from '../../verify/documents/checksum-list.ts'
import type { ImageListing } from '../../verify/verify-image.ts'
import { type FetchOptions, fetchFile } from './fetch-file.ts'
import { isPlainName } from './upstream.ts'
import type { UpstreamPool } from './upstream-pool.ts'

/**
 * Names to ask for when a folder cannot be listed: Debian, Ubuntu, Rocky, Alma and CentOS use one of these
 * names.
 */
const usualNames = ['SHA256SUMS', 'CHECKSUM']
/** Of the list itself, and of its signatures. */
const listEndings = ['', '.asc', '.gpg', '.sign', '.sig']
/** The most bytes of a list or signature: real ones have some KiB. */
const maxListBytes = upstreamLimits.upstreamLists.bytes
/** The most lists and signatures that are fetched. */
const maxFiles = upstreamLimits.upstreamLists.entries

/**
 * Fetches the checksum lists beside an image, and their signatures, into a folder of their own. The signature
 * of such a list covers the image, which has no signature of its own. Missing lists are not an error here:
 * verification reports them when signatures are required.
 *
 * @param folderPool The folder that holds the image, on each mirror.
 * @param name The image's.
 */
export async function fetchLists(
  folder: string,
  folderPool: UpstreamPool,
  name: string,
  options: FetchOptions = {},
): Promise<ImageListing> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  // Lists that are named after the image come first: a folder may hold hundreds for other images.
  const names = (await listNames(folderPool, name)).toSorted(
    (a, b) => Number(b.startsWith(name)) - Number(a.startsWith(name)),
  )
  for (const path of names.slice(0, maxFiles)) {
    const file = { path, atMostBytes: maxListBytes, isOptional: true }
    await fetchFile(folderPool, file, join(folder, path), options)
  }
  return { folder, name }
}

async function listNames(folderPool: UpstreamPool, name: string): Promise<readonly string[]> {
  // When the first mirror gives no listing, the usual names are asked for instead.
  const names = await folderPool.upstreams[0]?.list('').catch(() => undefined)
  if (names)
    return names.map(({ name: each }) => each).filter((each) => isPlainName(each) && isListOrSignature(each))
  return [...usualNames, `${name}.CHECKSUM`].flatMap((list) =>
    listEndings.map((ending) => `${list}${ending}`),
  )
}

function isListOrSignature(name: string): boolean {
  return isChecksumList(name.replace(/\.(?:asc|gpg|sign|sig)$/, ''))
}
