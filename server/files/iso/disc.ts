import { Failure } from '../../core/failure.ts'
import type { CleanPath } from '../path.ts'
import { UdfFolders } from '../udf/folders.ts'
import { bridged } from './bridge.ts'
import { IsoFolders, type Names } from './folders.ts'
import type { Image } from './image.ts'
import type { IsoNode } from './node.ts'
import { readVolumes } from './volume.ts'
import { type Folders, find, links, list } from './walk.ts'

/** The files of one image by path, whichever file system they are in. */
export interface Disc {
  readonly image: Image
  /** Where names come from. */
  readonly names: Names | 'udf'
  /** How large the image is by its own account. What is appended to it (a GPT, checksums) may come on top. */
  readonly bytes: number
  /** What is at a path, symlinks followed inside the image; undefined when there is no such thing. */
  find(path: CleanPath): Promise<IsoNode | undefined>
  /** What a folder holds, symlinks replaced by what they lead to; undefined when it is no folder. */
  list(path: CleanPath): Promise<readonly IsoNode[] | undefined>
  /** The symlinks of a folder, name to target as written; undefined when it is no folder. */
  links(path: CleanPath): Promise<ReadonlyMap<string, string> | undefined>
}

/**
 * Looks what a disc has, and takes what tells most of its files:
 *
 * 1. Rock Ridge: names as they were, and symlinks, which the distributions' discs need and genisoimage leaves out of
 *    UDF. Where the disc has UDF as well, a file over 4 GiB has its size from there (`bridged`).
 * 2. UDF, where there is no ISO 9660, or one without Rock Ridge: Joliet cuts names to 64 characters, plain names are
 *    cut more, and Microsoft's discs (`oscdimg -u2`) have in ISO 9660 nothing but a README.TXT that says so. 7-Zip and
 *    Linux look at UDF first too.
 * 3. Joliet, then plain names. Also where UDF is announced and cannot be read.
 *
 * @throws Failure that names the byte and what was expected there.
 */
export async function openDisc(image: Image): Promise<Disc> {
  const volumes = await readVolumes(image)
  const iso = await IsoFolders.open(image, volumes)
  if (!volumes.udf) {
    if (!iso) throw new Failure('internal', `${image.name} has no volume`)
    return disc(image, iso.names, iso.volume.bytes, iso)
  }
  if (!iso) {
    const udf = await UdfFolders.open(image)
    return disc(image, 'udf', udf.volume.bytes, udf)
  }
  if (iso.names !== 'rock-ridge') {
    const udf = await readable(image)
    if (udf) return disc(image, 'udf', udf.volume.bytes, udf)
  }
  const bytes = Math.max(image.size, iso.volume.bytes)
  return disc(
    image,
    iso.names,
    iso.volume.bytes,
    bridged(iso, bytes, () => UdfFolders.open(image)),
  )
}

function disc(image: Image, names: Disc['names'], bytes: number, folders: Folders): Disc {
  return {
    image,
    names,
    bytes,
    find: (path) => find(image, folders, path),
    list: (path) => list(image, folders, path),
    links: (path) => links(image, folders, path),
  }
}

/** UDF whose root can be read. */
async function readable(image: Image): Promise<UdfFolders | undefined> {
  try {
    const udf = await UdfFolders.open(image)
    await udf.root()
    return udf
  } catch (error) {
    if (error instanceof Failure && (error.kind === 'invalid-data' || error.kind === 'unsupported'))
      return undefined
    throw error
  }
}
