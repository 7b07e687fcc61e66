import type { VolumeIds } from '../../core/tree/volume-ids.ts'
import type { CleanPath } from '../path.ts'
import { UdfFolders } from '../udf/folders.ts'
import { bridged } from './bridge.ts'
import { IsoFolders, type Names } from './folders.ts'
import { type Image, isFaultOfImage } from './image.ts'
import type { IsoNode } from './node.ts'
import { readVolumes } from './volume.ts'
import { type Folders, find, links, list } from './walk.ts'

/** The files of one image by path, read from any of its file systems. */
export interface Disc {
  readonly image: Image
  /** The file system or extension of ISO 9660 from which the names are read. */
  readonly names: Names | 'udf'
  /** The size that the image states. Appended data (a GPT, checksums) may follow. */
  readonly bytes: number
  /** What the primary volume descriptor says of the disc; undefined on a disc without ISO 9660. */
  readonly ids: VolumeIds | undefined
  /** The node at a path, symlinks followed inside the image. Undefined when the path does not exist. */
  find(path: CleanPath): Promise<IsoNode | undefined>
  /** The nodes of a folder, symlinks replaced by their targets. Undefined when the path is not a folder. */
  list(path: CleanPath): Promise<readonly IsoNode[] | undefined>
  /** The symlinks of a folder, name to target as written. Undefined when the path is not a folder. */
  links(path: CleanPath): Promise<ReadonlyMap<string, string> | undefined>
}

/**
 * Finds the file systems of a disc, and chooses the one that describes its files best:
 *
 * 1. Rock Ridge keeps names as they were. It has symlinks, which the discs of distributions need and which
 *    genisoimage leaves out of UDF. If the disc also has UDF, UDF gives the size of a file over 4 GiB
 *    (`bridged`).
 * 2. UDF, if the disc has no ISO 9660, or one without Rock Ridge. Joliet cuts names to 64 characters, and
 *    plain names are cut more. Discs of Microsoft (`oscdimg -u2`) have only a README.TXT in ISO 9660, which
 *    says that the disc needs UDF. 7-Zip and Linux look at UDF first too.
 * 3. Joliet, then plain names; also when UDF is announced but cannot be read.
 *
 * @throws Failure that names the byte and what was expected there.
 */
export async function openDisc(image: Image): Promise<Disc> {
  const volumes = await readVolumes(image)
  const iso = await IsoFolders.open(image, volumes)
  const ids = volumes.primary?.ids
  if (!iso) {
    // `readVolumes` refuses a file without any volume.
    const udf = await UdfFolders.open(image)
    return disc(image, { names: 'udf', bytes: udf.volume.bytes, ids }, udf)
  }
  if (!volumes.udf) return disc(image, { names: iso.names, bytes: iso.volume.bytes, ids }, iso)
  if (iso.names !== 'rock-ridge') {
    const udf = await openReadableUdf(image)
    if (udf) return disc(image, { names: 'udf', bytes: udf.volume.bytes, ids }, udf)
  }
  const bytes = Math.max(image.size, iso.volume.bytes)
  return disc(
    image,
    { names: iso.names, bytes: iso.volume.bytes, ids },
    bridged(iso, bytes, () => UdfFolders.open(image)),
  )
}

function disc(image: Image, facts: Pick<Disc, 'names' | 'bytes' | 'ids'>, folders: Folders): Disc {
  return {
    image,
    ...facts,
    find: (path) => find(image, folders, path),
    list: (path) => list(image, folders, path),
    links: (path) => links(image, folders, path),
  }
}

/** Opens UDF. Undefined when its root cannot be read. */
async function openReadableUdf(image: Image): Promise<UdfFolders | undefined> {
  try {
    const udf = await UdfFolders.open(image)
    await udf.root()
    return udf
  } catch (error) {
    if (isFaultOfImage(error)) return undefined
    throw error
  }
}
