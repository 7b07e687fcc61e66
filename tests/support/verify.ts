import { gatherEvidence } from '../../server/catalog/scan/gather.ts'
import type { CleanPath } from '../../server/files/path.ts'
import type { FileSource } from '../../server/files/source.ts'
import { type VerifyReport, type VerifyTreeOptions, verifyTree } from '../../server/verify/verify-tree.ts'

/**
 * Gathers the evidence of a tree and verifies it, packages and all. `name` is what people call the tree, for
 * what its descriptors do not say.
 */
export async function verifyTreeAt(
  source: FileSource,
  at: CleanPath,
  options: Partial<VerifyTreeOptions> & { readonly name?: string } = {},
): Promise<VerifyReport> {
  const { name = 'tree', ...more } = options
  const evidence = await gatherEvidence(source, at, name)
  return verifyTree({ source, at, evidence }, { packages: true, ...more })
}
