/** A file of an image to be written, and the form in which UDF describes it. */
export interface UdfFile {
  readonly bytes?: Uint8Array | string
  /** A symlink. */
  readonly target?: string
  /** How the file entry describes its bytes; default `short`, with a metadata partition `long`. */
  readonly allocation?: 'short' | 'long' | 'embedded'
  /** Cut into pieces of this many blocks, with a foreign block between them. */
  readonly pieceBlocks?: number
  /** The most descriptors in the file entry, and in each extent where they continue. */
  readonly descriptorsEach?: number
  /**
   * The allocation descriptors as they are, instead of places for `bytes`, which are then not written: block of
   * the partition, length, and the two upper bits of the length (0, the default: recorded; 1 and 2: not).
   */
  readonly pieces?: readonly { readonly block: number; readonly length: number; readonly kind?: number }[]
  /** Values for the file entry in place of the true ones: its size, and its file type (ECMA-167 4/14.6.6). */
  readonly size?: number | bigint
  readonly type?: number
}

/** An image to be written. */
export interface UdfShape {
  readonly files: Readonly<Record<string, UdfFile | Uint8Array | string>>
  /** Default: 2048. */
  readonly blockBytes?: 512 | 2048 | 4096
  /** UDF 2: extended file entries, NSR03. Default: UDF 1.02. */
  readonly version2?: boolean
  /** UDF 2.50: file entries and folders in a partition that is a file, in two pieces. */
  readonly metadata?: boolean
  /** How many pieces the metadata file has; those after the first two are not used. Default: two. */
  readonly metadataPieces?: number
  /** How the file entry of a folder describes its bytes; default `short`. */
  readonly folders?: 'short' | 'long' | 'embedded'
  /** Names in 16 bits a character even where 8 would do. */
  readonly wideNames?: boolean
  /** More file identifiers, in front of those of the root's children. */
  readonly identifiers?: readonly Buffer[]
  /** Sectors of the anchors; negative ones count from the end. Default: 256 and the last. */
  readonly anchors?: readonly number[]
  /** Put a volume descriptor pointer into the main sequence, so that it continues elsewhere. */
  readonly continued?: boolean
}

/** A written image. Positions are bytes of the image, blocks are those of the partition. */
export interface WrittenUdf {
  readonly bytes: Buffer
  readonly blockBytes: number
  /** The position of the partition. */
  readonly partitionAt: number
  /** The positions of the main sequence of volume descriptors, and of the file set descriptor. */
  readonly sequenceAt: number
  readonly fileSetAt: number
  /** For each path, '' for the root: the position of the file entry, and its block. */
  readonly entries: ReadonlyMap<string, { readonly at: number; readonly block: number }>
  /** For each path: the position of the first byte. */
  readonly data: ReadonlyMap<string, number>
  /** For each folder: the position of its identifiers. */
  readonly folders: ReadonlyMap<string, number>
}
