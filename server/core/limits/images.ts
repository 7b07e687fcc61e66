import { GiB, KiB, type Limit, MiB } from './limit.ts'

/** Anyone whose images are imported, uploaded, mirrored or copied into `trees/`. */
const from = 'image'
const beyond = 'the folder or file is refused, with the byte of the image; the rest of the image is served'

/** Images of discs: ISO 9660 with Rock Ridge or Joliet, and UDF. They are read in place. */
export const imageLimits = {
  /** A disc has three or four; UDF adds three more. */
  volumeDescriptors: {
    what: 'volume descriptors of ISO 9660',
    from,
    entries: 64,
    beyond: 'the image is read without the others',
  },
  /** A sequence has some six descriptors, and its extent at least sixteen sectors (UDF 2.2.3). */
  udfSequence: {
    what: 'volume descriptor sequence of UDF: descriptors',
    from,
    entries: 256,
    beyond: 'the image is refused',
  },
  /** A metadata file is in one piece, or in a few. */
  udfMetadata: {
    what: 'metadata file of UDF 2.50: pieces',
    from,
    entries: 1024,
    beyond: 'the image is refused',
  },
  /** A directory of 100,000 files has some 16 MB. */
  imageFolder: {
    what: 'folder in an image (ISO 9660, UDF): names',
    from,
    bytes: 32 * MiB,
    entries: 250_000,
    beyond,
  },
  /** Some 160 bytes for each of 100,000 files. */
  continuations: {
    what: 'continuation areas (CE) of one folder',
    from,
    bytes: 16 * MiB,
    entries: 250_000,
    beyond,
  },
  /** A name of 255 bytes and a symlink of 4096 fit in three. An area that was read before is refused. */
  recordContinuations: {
    what: 'continuation areas (CE) of one file',
    from,
    entries: 32,
    beyond,
  },
  /** 100 GB on a Blu-ray are 25. */
  fileExtents: {
    what: 'pieces of one file of an image',
    from,
    entries: 4096,
    beyond,
  },
  /** Enough for a contiguous file of 64 TiB, since the length in a descriptor has 30 bits. */
  allocationDescriptors: {
    what: 'allocation descriptors of one file (UDF): descriptors, and areas in which they continue',
    from,
    entries: 65_536,
    depth: 1024,
    beyond,
  },
  folderAllocationDescriptors: {
    what: 'allocation descriptors of all files of one folder (UDF)',
    from,
    entries: 500_000,
    beyond,
  },
  /** More than any disc has. A folder that is above itself is refused, wherever. */
  imagePath: {
    what: 'path in an image: folders above one another, and symlinks on the path (as many as Linux follows)',
    from,
    entries: 40,
    depth: 128,
    beyond: 'a deeper folder is refused; a link beyond is not followed',
  },
  /** PATH_MAX of Linux; in UDF two bytes a character, with four bytes in front of each component. */
  imageLink: {
    what: 'symlink in an image',
    from,
    bytes: 16 * KiB,
    beyond: 'the link is not followed; in UDF it is listed as a file that cannot be read',
  },
  /** Each link of a folder may lead through 40 others of thousands of components. */
  linkSteps: {
    what: 'listing of a folder in an image: components of all paths that its symlinks lead through',
    from,
    entries: 200_000,
    beyond: 'the remaining symlinks are not listed',
  },
  /** The largest discs of distributions have some 60,000 files; the largest disc (BD-XL) has 119 GiB. */
  unpacked: {
    what: 'unpacking an archive or an image (`import.max-unpacked`): files, folders and links. A folder of an image under two paths is refused',
    from,
    bytes: 128 * GiB,
    entries: 250_000,
    beyond: 'the import is refused, and nothing is published',
  },
  /**
   * Linux has paths of 4095 bytes, and those of the folders above the tree are needed, too; no disc has more than 20
   * folders above one another.
   */
  unpackedPath: {
    what: 'the path of an entry of an archive or image; a name in it has at most 255 bytes (NAME_MAX)',
    from,
    bytes: 2 * KiB,
    depth: 128,
    beyond: 'the import is refused, and nothing is published',
  },
  /**
   * PATH_MAX is 4096 bytes, and extended attributes have at most 64 KiB (xattr(7)). An entry has a long name, a long
   * target and two pax headers at most.
   */
  tarHeaders: {
    what: 'bytes of a long name or pax header of a tar, and such headers in a row',
    from,
    bytes: 256 * KiB,
    entries: 16,
    beyond: 'the import is refused, and nothing is published',
  },
} as const satisfies Record<string, Limit>
