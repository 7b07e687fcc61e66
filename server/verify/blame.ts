import { groupBy } from '../core/group-by.ts'
import type { CleanPath } from '../files/path.ts'
import type { ExpectedFile, Finding } from './expected-file.ts'

/**
 * A file that differs from what a document says of it. Which of the two is damaged cannot be told from them alone, but
 * the other documents and files of the tree often tell.
 */
export interface Difference {
  readonly finding: Finding
  /** What the document says. */
  readonly stated: ExpectedFile
  /** The documents whose digest of the file is right. */
  readonly right: readonly string[]
}

/** What was compared of a tree. */
export interface Compared {
  readonly expected: readonly ExpectedFile[]
  readonly differences: readonly Difference[]
  /** The files that are there and were read, by path in the source. */
  readonly read: ReadonlySet<CleanPath>
}

/**
 * The findings of the differences. Each names the document beside the file, and says which of the two is the damaged
 * one where anything tells.
 */
export function blamed({ expected, differences, read }: Compared): Finding[] {
  if (differences.length === 0) return []
  const different = new Set(differences.map(({ stated }) => stated.path))
  const disagree = new Set(differences.map(({ stated }) => `${stated.from}\0${stated.path}`))
  const documents = groupBy(expected, ({ from }) => [from])
  /** How many files a document names that are as it says; 0 when one of them is not. */
  const namedRightly = (document: CleanPath): number => {
    const named = (documents.get(document) ?? []).filter(({ path, digest }) => digest && read.has(path))
    return named.some(({ path }) => disagree.has(`${document}\0${path}`)) ? 0 : named.length
  }
  const why = ({ stated: { by, from, path }, right }: Difference): string => {
    if (different.has(from)) return `; ${by} itself is damaged`
    if (right.length > 0) return `; ${right[0]} says what is here, so ${by} may be what is damaged`
    const named = namedRightly(path)
    if (named === 0) return ''
    const files = named === 1 ? 'the file that it names is' : `all ${named} files that it names are`
    return `; ${files} as it says, so ${by} may be what is damaged, or older`
  }
  return differences.map((each) => {
    const { finding, stated } = each
    return { ...finding, message: `${finding.message}${why(each)}`, with: stated.by }
  })
}
