import { groupBy } from '../core/group-by.ts'
import type { Digest, DigestAlgorithm } from '../core/tree/tree.ts'
import type { CleanPath } from '../files/path.ts'
import type { ExpectedFile } from './expected-file.ts'

const strongAlgorithms: ReadonlySet<DigestAlgorithm> = new Set(['sha256', 'sha384', 'sha512'])

/**
 * Whether a digest vouches for a file. A weak one does not: somebody can make another file with that digest.
 */
export function isStrong(digest: Digest | undefined): boolean {
  return digest !== undefined && strongAlgorithms.has(digest.algorithm)
}

/**
 * Finds the documents that no good signature covers. If all are covered, it finds the boot files that no
 * signed document names. A document that a signed document names with a strong digest counts as signed, too,
 * and so on down: `Release` vouches for `Packages`; SUSE's `CHECKSUMS` for `.treeinfo`, which vouches for
 * `repomd.xml`. A signed document must also name the boot files, so that an attacker gains nothing by
 * removing all documents.
 *
 * @param documents For each document, whether it has a good signature of its own.
 * @param bootFiles Files that a boot needs.
 */
export function findUnsigned(
  documents: ReadonlyMap<CleanPath, boolean>,
  expected: readonly ExpectedFile[],
  bootFiles: readonly CleanPath[],
): readonly { readonly path: CleanPath; readonly message: string }[] {
  const strong = expected.filter(({ digest }) => isStrong(digest))
  const links = strong.filter(({ path, from }) => path !== from && documents.has(path))
  const signed = [...documents].filter(([, isSigned]) => isSigned).map(([path]) => path)
  const trusted = reachableFrom(signed, links)
  const untrusted = [...documents.keys()].filter((path) => !trusted.has(path))
  if (untrusted.length > 0) {
    // Only the topmost are shown: a signature of them would cover those that they name. Documents that name
    // each other have none at the top.
    const named = new Set(links.map(({ path }) => path))
    const roots = untrusted.filter((path) => !named.has(path))
    return (roots.length > 0 ? roots : untrusted).map((path) => ({
      path,
      message: 'names checksums, but has no good signature by a given key, and no signed document names it',
    }))
  }
  const covered = new Set(strong.filter(({ from }) => trusted.has(from)).map(({ path }) => path))
  return bootFiles
    .filter((path) => !covered.has(path))
    .map((path) => ({
      path,
      message: 'is not named with SHA-256 or better by a signed document, and a boot needs it',
    }))
}

/** The documents in `start`, the documents that they name, and so on. */
function reachableFrom(start: readonly CleanPath[], links: readonly ExpectedFile[]): ReadonlySet<CleanPath> {
  const named = groupBy(links, ({ from }) => [from])
  const reached = new Set(start)
  // A set hands out what is added to it while it is walked.
  for (const from of reached) for (const { path } of named.get(from) ?? []) reached.add(path)
  return reached
}
