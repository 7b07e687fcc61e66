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
  /** Other places of the bytes: block of the partition, length, and the two upper bits of the length. */
  readonly pieces?: readonly { readonly block: number; readonly length: number; readonly kind?: number }[]
  /** False values for the file entry. */
  readonly size?: number | bigint
  readonly type?: number
}

export interface UdfShape {
  readonly files: Readonly<Record<string, UdfFile | Uint8Array | string>>
  readonly blockBytes?: 512 | 2048 | 4096
  /** UDF 2: extended file entries, NSR03. Default: UDF 1.02. */
  readonly version2?: boolean
  /** UDF 2.50: file entries and folders in a partition that is a file, in two pieces. */
  readonly metadata?: boolean
  /** How the file entry of a folder describes its bytes. */
  readonly folders?: 'short' | 'long' | 'embedded'
  /** Names in 16 bits a character even where 8 would do. */
  readonly wideNames?: boolean
  /** More file identifiers, in front of those of the root's children. */
  readonly identifiers?: readonly Buffer[]
  /** Sectors of the anchors; negative ones count from the end. */
  readonly anchors?: readonly number[]
  /** Put a volume descriptor pointer into the main sequence, so that it continues elsewhere. */
  readonly continued?: boolean
}

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
