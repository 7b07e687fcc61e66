export interface UdfFile {
  readonly bytes?: Uint8Array | string
  /** A symlink. */
  readonly target?: string
  /** How its bytes are told of; default `short`, with a metadata partition `long`. */
  readonly allocation?: 'short' | 'long' | 'embedded'
  /** Cut into pieces of this many blocks, with a foreign block between them. */
  readonly pieceBlocks?: number
  /** Not more than so many descriptors in the file entry, and in each extent that they continue in. */
  readonly descriptorsEach?: number
  /** Where the bytes lie instead: block of the partition, length, and the two upper bits of the length. */
  readonly pieces?: readonly { readonly block: number; readonly length: number; readonly kind?: number }[]
  /** What the file entry says, where that is not the truth. */
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
  /** How folders are told of. */
  readonly folders?: 'short' | 'long' | 'embedded'
  /** Names in 16 bits a character even where 8 would do. */
  readonly wideNames?: boolean
  /** More file identifiers, in front of those of the root's children. */
  readonly identifiers?: readonly Buffer[]
  /** Sectors of the anchors; negative ones count from the end. */
  readonly anchors?: readonly number[]
  /** Put a volume descriptor pointer into the main sequence, so that it goes on elsewhere. */
  readonly continued?: boolean
}

export interface WrittenUdf {
  readonly bytes: Buffer
  readonly blockBytes: number
  /** Where the partition begins. */
  readonly partitionAt: number
  /** Where the volume descriptors of the main sequence begin, and the file set descriptor. */
  readonly sequenceAt: number
  readonly fileSetAt: number
  /** By path, '' for the root: where the file entry is, and its block. */
  readonly entries: ReadonlyMap<string, { readonly at: number; readonly block: number }>
  /** By path: where the first byte is. */
  readonly data: ReadonlyMap<string, number>
  /** By path: where the identifiers of a folder begin. */
  readonly folders: ReadonlyMap<string, number>
}
