import type { Digest, DigestAlgorithm } from '../core/tree/tree.ts'
import type { CleanPath } from '../files/path.ts'
import type { Claim } from './expected-file.ts'

const strong: ReadonlySet<DigestAlgorithm> = new Set(['sha256', 'sha384', 'sha512'])

/** Others can be made to fit another file, so to be named with them is no signature. */
export function isStrong(digest: Digest | undefined): boolean {
  return digest !== undefined && strong.has(digest.algorithm)
}

/**
 * What has no signature where each document must have one. A document that a signed one names by a strong digest is as
 * good as signed, and so on down: `Release` signs for `Packages`, SUSE's `CHECKSUMS` for `.treeinfo`, which signs for
 * `repomd.xml`. Where that leaves no document, the files that boot must be named by what is signed, so that removing
 * all documents helps nobody.
 *
 * @param documents Whether each has a good signature of its own.
 */
export function findUnsigned(
  documents: ReadonlyMap<CleanPath, boolean>,
  claims: readonly Claim[],
  boots: readonly CleanPath[],
): readonly { readonly path: CleanPath; readonly message: string }[] {
  const binding = claims.filter(({ digest }) => isStrong(digest))
  const vouched = new Set([...documents].filter(([, isSigned]) => isSigned).map(([path]) => path))
  const between = binding.filter(({ path, from }) => path !== from && documents.has(path))
  // A set is walked in the order of insertion, what comes in meanwhile included.
  for (const document of vouched)
    for (const { path, from } of between) if (from === document) vouched.add(path)
  const named = new Set(between.map(({ path }) => path))
  const unsigned = [...documents.keys()].filter((path) => !vouched.has(path))
  const roots = unsigned.filter((path) => !named.has(path))
  if (unsigned.length > 0)
    return (roots.length > 0 ? roots : unsigned).map((path) => ({
      path,
      message: 'names checksums, and has no good signature by a given key, nor has a document that names it',
    }))
  const covered = new Set(binding.filter(({ from }) => vouched.has(from)).map(({ path }) => path))
  return boots
    .filter((path) => !covered.has(path))
    .map((path) => ({
      path,
      message: 'is named by no signed document with its SHA-256 or better, and a boot rests on it',
    }))
}
