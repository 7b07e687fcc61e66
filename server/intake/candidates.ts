import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { type Discovery, discover } from '../catalog/scan/discover.ts'
import { gatherEvidence } from '../catalog/scan/gather.ts'
import { type RecognizedTree, recognizeFolder } from '../catalog/scan/read-tree.ts'
import { Failure } from '../core/failure.ts'
import { concludeTree, type TreeEvidence } from '../core/tree/conclude.ts'
import type { Description } from '../core/tree/tree.ts'
import { levelsAbove } from '../core/tree/tree-id.ts'
import { isoSource, looksLikeIso } from '../files/iso/source.ts'
import { rootPath } from '../files/path.ts'
import type { VersionRecord } from '../versions/record.ts'

/** A folder or image among uploaded, unpacked or fetched files that can be published by itself. */
export interface Candidate {
  readonly kind: VersionRecord['kind']
  readonly path: string
  /** Relative to the folder that was searched: `.`, `fedora/40`, `Fedora.iso`. */
  readonly place: string
  /** Its trees, relative to `path`; the one that boots is the first. */
  readonly trees: readonly string[]
  /** The evidence of each tree, by the same names. */
  readonly evidence: ReadonlyMap<string, TreeEvidence>
  /** Of the tree that boots. */
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
  const { searched } = await discover(folder, { id: '.', diskPath: folder }, async (location) => {
    // Images are looked for below: each is published by itself, and never together with a folder.
    if (location.image !== undefined) return false
    // Here a kernel alone makes the folder itself a tree.
    const tree = await recognizeFolder(location.id === '.' ? { ...location, id: 'upload' } : location, folder)
    if (tree) found.push({ ...tree, path: location.diskPath })
    return tree !== undefined
  })
  const trees = found.sort((a, b) => (a.path < b.path ? -1 : 1))
  const wholes = [...new Set(trees.map((tree) => wholeOf(folder, tree)))]
  const outermost = wholes.filter((path) => !wholes.some((other) => path.startsWith(`${other}/`)))
  const folders = outermost.sort().map((path) => candidateOf(folder, path, trees))
  return [...folders, ...(await imagesIn(folder, searched))]
}

function candidateOf(searched: string, path: string, trees: readonly FoundTree[]): Candidate {
  const inside = trees.filter((tree) => tree.path === path || tree.path.startsWith(`${path}/`))
  const first = inside.find(hasImages) ?? inside[0]
  if (!first) throw new Failure('internal', `${path} was found for a tree, and holds none`)
  const ordered = [first, ...inside.filter((tree) => tree !== first)]
  const evidence = new Map(ordered.map((tree) => [relative(path, tree.path) || '.', tree.evidence] as const))
  return {
    kind: 'folder',
    path,
    place: relative(searched, path) || '.',
    trees: [...evidence.keys()],
    evidence,
    description: first.description,
  }
}

/** The folder that holds a tree and all its repositories; never above the folder that was searched. */
function wholeOf(folder: string, { path, description }: FoundTree): string {
  const parts = relative(folder, path).split('/').filter(Boolean)
  const levels = Math.min(parts.length, levelsAbove(description.repositories))
  return join(folder, ...parts.slice(0, parts.length - levels))
}

function hasImages({ description }: FoundTree): boolean {
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

/** The candidate of a file that is a disc image with a tree in it. Files beside it do not matter. */
export async function findImage(folder: string, path: string): Promise<Candidate | undefined> {
  if (!(await looksLikeIso(path))) return undefined
  const place = relative(folder, path)
  const evidence = await gatherEvidence(await isoSource(path), rootPath, place.replace(/\.iso$/i, ''))
  const description = evidence && concludeTree(evidence)
  if (!description) return undefined
  return { kind: 'iso', path, place, trees: ['.'], evidence: new Map([['.', evidence]]), description }
}
