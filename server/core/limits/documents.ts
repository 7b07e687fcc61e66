import { GiB, KiB, type Limit, MiB } from './limit.ts'

/** Anyone whose trees are imported, uploaded, mirrored or copied into `trees/`. */
const from = 'tree'

/** Documents of a tree that name checksums of other files. They are read when the tree is verified. */
export const documentLimits = {
  /** A list that names 60,000 packages has some 8 MB. It is in memory as a whole. */
  checksumList: {
    what: 'checksum list (`SHA256SUMS`, `CHECKSUM`, `*.sha256`): lines',
    from,
    bytes: 16 * MiB,
    entries: 200_000,
    beyond: 'the list is a finding (error), and the others are read',
  },
  /** The lists in a folder of images have some KiB. */
  checksumListOfImage: {
    what: 'checksum list beside an image: lists that name the image',
    from,
    bytes: 4 * MiB,
    entries: 100,
    beyond: 'a larger list names nothing; further lists are not read',
  },
  /** Ubuntu's has 270 KB. */
  debianRelease: {
    what: "Debian's `Release` or `InRelease`: lines",
    from,
    bytes: 16 * MiB,
    entries: 250_000,
    beyond: 'a finding (error); its indices are not read',
  },
  /** Debian's main archive has 50 MB, with 63,000 packages. */
  packagesIndex: {
    what: "Debian's `Packages`, unpacked: packages",
    from,
    bytes: 2 * GiB,
    entries: 500_000,
    beyond: 'a finding (error); what was read before it counts',
  },
  /** The longest stanza of Debian 12 has 20 KB. */
  packagesStanza: {
    what: 'one package of `Packages`',
    from,
    bytes: MiB,
    beyond: 'a finding (error); what was read before it counts',
  },
  /** The largest that was seen has 20 KiB, with a hundred kinds of metadata. One of 1 MiB takes half a second. */
  repomd: {
    what: '`repomd.xml`: elements above one another. A document type (and so any entity) is refused',
    from,
    bytes: MiB,
    depth: 100,
    beyond: 'a finding (error); its packages are not read',
  },
  /** Fedora's has 150 MB for 60,000 packages. */
  primary: {
    what: '`primary.xml`, unpacked: packages. A document type is refused',
    from,
    bytes: 2 * GiB,
    entries: 500_000,
    beyond: 'a finding (error); what was read before it counts',
  },
  /** Most entries have a few KiB, and kernels with thousands of provides some hundred KiB. */
  primaryEntry: {
    what: 'one package of `primary.xml`',
    from,
    bytes: 4 * MiB,
    beyond: 'a finding (error); what was read before it counts',
  },
  /**
   * Debian's `Release.gpg` of three signers has 3 KiB. A clearsigned copy has the signatures and the document,
   * whose lines get longer in it (`\r`, `- `): twice the document is added to these bytes.
   */
  signature: {
    what: 'OpenPGP signature of a document, beside what it signs: signatures in it',
    from,
    bytes: 256 * KiB,
    entries: 32,
    beyond: 'the signature is bad',
  },
  /** A Debian mirror of all releases and architectures has some 300. */
  documents: {
    what: 'documents of one tree: documents, and their bytes as they lie in it',
    from,
    bytes: GiB,
    entries: 4096,
    beyond: 'a finding (error); the other documents are not read',
  },
  /** A Debian mirror of ten architectures names 600,000. */
  expectedFiles: {
    what: 'files that the documents of one tree name',
    from,
    entries: 1_000_000,
    beyond: 'a finding (error); the other files are not verified',
  },
  /** The search follows symlinks, and one to a folder above it would lead round in a circle. */
  documentSearch: {
    what: 'search for the documents of one tree: folders that are listed, below one another',
    from,
    entries: 4096,
    depth: 8,
    beyond: 'a finding (warning); documents further down are not read',
  },
  /** Names in all folders of one search. An image may show one large folder under thousands of paths. */
  documentSearchNames: {
    what: 'search for the documents of one tree: names in the listed folders',
    from,
    entries: 1_000_000,
    beyond: 'a finding (warning); documents further down are not read',
  },
} as const satisfies Record<string, Limit>
