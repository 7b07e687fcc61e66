import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isChecksumList } from '../../verify/documents/checksum-list.ts'
import type { ImagePlace } from '../../verify/documents/image-lists.ts'
import { type FetchOptions, fetchFile } from './fetch-file.ts'
import { isPlainName } from './upstream.ts'
import type { UpstreamPool } from './upstream-pool.ts'

/** Where a folder is not listed; Debian, Ubuntu, Rocky, Alma and CentOS have the one or the other. */
const usual = ['SHA256SUMS', 'CHECKSUM']
const endings = ['', '.asc', '.gpg', '.sign', '.sig']
/** Lists of one folder of images have some KiB. */
const maxListBytes = 4 * 1024 * 1024
/** A folder of more lists is no folder of images. */
const mostFiles = 40

/**
 * Fetches the lists of checksums beside a file, and their signatures, into a folder of their own: what is signed of an
 * image is not in it. None at all is no error here; whoever requires a signature will miss it.
 *
 * @param parents The folder of the file, on each mirror.
 */
export async function fetchLists(
  folder: string,
  parents: UpstreamPool,
  name: string,
  options: FetchOptions = {},
): Promise<ImagePlace> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const listed = await parents.upstreams[0]?.list('').catch(() => undefined)
  const wanted =
    listed?.filter(
      (each) => isPlainName(each) && isChecksumList(each.replace(/\.(?:asc|gpg|sign|sig)$/, '')),
    ) ?? [...usual, `${name}.CHECKSUM`].flatMap((list) => endings.map((ending) => `${list}${ending}`))
  for (const path of wanted.slice(0, mostFiles))
    await fetchFile(
      parents,
      { path, atMostBytes: maxListBytes, isOptional: true },
      join(folder, path),
      options,
    )
  return { folder, name }
}
