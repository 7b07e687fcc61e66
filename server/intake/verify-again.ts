import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { gatherEvidence } from '../catalog/scan/gather.ts'
import type { Tree } from '../core/tree/tree.ts'
import { diskSource } from '../files/disk.ts'
import { isoSource } from '../files/iso/source.ts'
import { cleanPath, rootPath } from '../files/path.ts'
import { verifyImage } from '../verify/verify-image.ts'
import { type VerifyReport, type VerifyTreeOptions, verifyTree } from '../verify/verify-tree.ts'
import { recordAt } from '../versions/record.ts'

/** Reads a tree that is there again, and compares every file that its descriptors name. */
export async function verifyAgain(
  treesFolder: string,
  { id, origin: { path, kind } }: Pick<Tree, 'id' | 'origin'>,
  options: VerifyTreeOptions & { readonly packages: boolean },
): Promise<VerifyReport> {
  if (kind === 'iso') {
    const evidence = await gatherEvidence(await isoSource(path), rootPath, id)
    return verifyImage({ file: path, evidence }, options)
  }
  const trees = await realpath(treesFolder)
  // Only the record of a tree that was mirrored with --boot-only has an upstream. Such a tree has no packages,
  // and other files of it may be missing, too.
  const isBootOnly = (await recordAt(trees, path))?.upstream !== undefined
  const source = diskSource(trees, { showLinks: true })
  const at = cleanPath(join('/', id))
  const evidence = await gatherEvidence(source, at, id)
  return verifyTree(
    { source, at, evidence },
    { ...options, packages: options.packages && !isBootOnly, partial: isBootOnly },
  )
}
