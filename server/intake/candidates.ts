import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { type Discovery, discover, type TreeLocation } from '../catalog/scan/discover.ts'
import { gatherEvidence } from '../catalog/scan/gather.ts'
import { type RecognizedTree, recognizeFolder } from '../catalog/scan/read-tree.ts'
import { Failure } from '../core/failure.ts'
import { concludeTree, type TreeEvidence } from '../core/tree/conclude.ts'
import type { Description } from '../core/tree/tree.ts'
import { levelsAbove } from '../core/tree/tree-id.ts'
import { isoSource, looksLikeIso } from '../files/iso/source.ts'
import { rootPath } from '../files/path.ts'
import type { VersionRecord } from '../versions/record.ts'

/** A folder or image among uploaded, unpacked or fetched files that can be published as one version. */
export interface Candidate {
  readonly kind: VersionRecord['kind']
  readonly path: string
  /** Relative to the folder that was searched: `.`, `fedora/40`, `Fedora.iso`. */
  readonly place: string
  /** Paths of the trees in it, relative to `path`. A tree that boots comes first. */
  readonly trees: readonly string[]
  /** The evidence of each tree, by its path in `trees`. */
  readonly evidence: ReadonlyMap<string, TreeEvidence>
  /** The description of the first of `trees`. */
  readonly description: Description
}

/** A tree below the folder that is searched. */
interface FoundTree extends RecognizedTree {
  readonly path: string
}

/**
 * Finds every tree below a folder, together with the repositories beside it to which it refers, and every
 * disc image.
 *
 * @param folder Real path.
 */
export async function findCandidates(folder: string): Promise<readonly Candidate[]> {
  const found: FoundTree[] = []
  const isTree = async (location: TreeLocation): Promise<boolean> => {
    // `imagesIn` looks for images afterwards: each is published by itself, never together with a folder.
    if (location.image !== undefined) return false
    // `recognizeFolder` refuses a tree known by its kernel alone when its id is `.`, which is for `trees/`
    // itself. An uploaded folder may be such a tree, so it gets another id.
    const tree = await recognizeFolder(location.id === '.' ? { ...location, id: 'upload' } : location, folder)
    if (tree) found.push({ ...tree, path: location.diskPath })
    return tree !== undefined
  }
  const { searched } = await discover(folder, { id: '.', diskPath: folder }, isTree)
  const trees = found.sort((a, b) => (a.path < b.path ? -1 : 1))
  const publishedRoots = [...new Set(trees.map((tree) => rootOf(folder, tree)))]
  const outermost = publishedRoots.filter(
    (path) => !publishedRoots.some((above) => path.startsWith(`${above}/`)),
  )
  const folders = outermost.sort().map((path) => candidateOf(folder, path, trees))
  return [...folders, ...(await imagesIn(folder, searched))]
}

function candidateOf(folder: string, path: string, trees: readonly FoundTree[]): Candidate {
  const inside = trees.filter((tree) => tree.path === path || tree.path.startsWith(`${path}/`))
  const first = inside.find(hasKernel) ?? inside[0]
  if (!first) throw new Failure('internal', `${path} is the folder of a tree, but no tree was found in it`)
  const ordered = [first, ...inside.filter((tree) => tree !== first)]
  const evidence = new Map(ordered.map((tree) => [relative(path, tree.path) || '.', tree.evidence] as const))
  return {
    kind: 'folder',
    path,
    place: relative(folder, path) || '.',
    trees: [...evidence.keys()],
    evidence,
    description: first.description,
  }
}

/**
 * The folder that is published as one piece: it holds a tree and all its repositories. It is never above the
 * folder that was searched.
 */
function rootOf(folder: string, { path, description }: FoundTree): string {
  const parts = relative(folder, path).split('/').filter(Boolean)
  const levels = Math.min(parts.length, levelsAbove(description.repositories))
  return join(folder, ...parts.slice(0, parts.length - levels))
}

function hasKernel({ description }: FoundTree): boolean {
  return Object.values(description.platforms).some((images) => images.kernel !== undefined)
}

async function imagesIn(folder: string, searched: Discovery['searched']): Promise<Candidate[]> {
  const found: Candidate[] = []
  for (const { diskPath: at } of searched) {
    for (const item of await readdir(at, { withFileTypes: true })) {
      const image = item.isFile() ? await findImage(folder, join(at, item.name)) : undefined
      if (image) found.push(image)
    }
  }
  return found
}

/**
 * The candidate for one disc image; undefined when the file is not an image or does not hold a tree.
 *
 * @param folder The folder that was searched, to which `place` is relative.
 */
export async function findImage(folder: string, path: string): Promise<Candidate | undefined> {
  if (!(await looksLikeIso(path))) return undefined
  const place = relative(folder, path)
  const evidence = await gatherEvidence(await isoSource(path), rootPath, place.replace(/\.iso$/i, ''))
  const description = evidence && concludeTree(evidence)
  if (!description) return undefined
  return { kind: 'iso', path, place, trees: ['.'], evidence: new Map([['.', evidence]]), description }
}
