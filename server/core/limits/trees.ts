import { KiB, type Limit, MiB } from './limit.ts'

const from = 'tree'

/** What is looked at to recognise trees in `trees/`, in uploads and in images. */
export const treeLimits = {
  /** The largest `.treeinfo` that was seen has 30 KiB. */
  descriptor: {
    what: '`.treeinfo`, `.discinfo`, `.disk/info`, `media.1/media`, `media.1/products`, `VERSION`, `version.info`',
    from,
    bytes: MiB,
    beyond: 'the descriptor is a problem of its tree, and is not read',
  },
  /** `HASH` lines of SUSE and MANIFEST name many files. */
  listingDescriptor: {
    what: '`content` of SUSE, `MANIFEST` of debian-installer',
    from,
    bytes: 4 * MiB,
    beyond: 'the descriptor is a problem of its tree, and is not read',
  },
  descriptorNotes: {
    what: 'faults of one descriptor that are shown',
    from,
    entries: 100,
    beyond: 'the others are counted',
  },
  /** A product line has some 60 characters. */
  release: {
    what: 'product line that is split into family and version',
    from,
    bytes: 400,
    beyond: 'the rest of the line is ignored',
  },
  /** The version of a bzImage is in its first sectors, of which it has at most 64 with 512 bytes each. */
  kernelHead: {
    what: 'head of a kernel, from which its architecture is read; of a compressed one, what its first KiB holds',
    from,
    bytes: 32 * KiB,
    beyond: 'the rest is not looked at',
  },
  /** `current/images/netboot/debian-installer/amd64` of Debian has six levels with the tree's own. */
  treeFolders: {
    what: 'folders of one tree without a complete descriptor that are listed for kernels',
    from,
    entries: 96,
    depth: 6,
    beyond: 'kernels further down are not found',
  },
  /** The deepest layout in use, Debian's, has seven: `debian/dists/bookworm/main/installer-amd64/current/images`. */
  treeSearch: {
    what: 'folders below `trees/` that are searched for trees',
    from,
    entries: 50_000,
    depth: 8,
    beyond: 'a note names the limit; further trees are not found',
  },
} as const satisfies Record<string, Limit>
