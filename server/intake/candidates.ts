import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { type Discovery, discover } from '../catalog/scan/discover.ts'
import { gatherEvidence } from '../catalog/scan/gather.ts'
import { type RecognizedTree, recognizeFolder } from '../catalog/scan/read-tree.ts'
import { concludeTree, type TreeEvidence } from '../core/tree/conclude.ts'
import type { Description } from '../core/tree/tree.ts'
import { levelsAbove } from '../core/tree/tree-id.ts'
import { rootPath } from '../files/path.ts'
import type { VersionRecord } from '../versions/record.ts'
import { isDiscImage, openTree } from '../versions/tree-source.ts'

/** What lies in a folder of uploaded, unpacked or fetched files and can be published by itself. */
export interface Candidate {
  readonly kind: VersionRecord['kind']
  readonly path: string
  /** Relative to the folder that was searched: `.`, `fedora/40`, `Fedora.iso`. */
  readonly place: string
  /** Its trees, relative to `path`. */
  readonly trees: readonly string[]
  /** What was found of each tree, by the same names. */
  readonly evidence: ReadonlyMap<string, TreeEvidence>
  readonly description: Description
}

/**
 * Finds every tree below a folder, each with the repositories that it refers to beside it, and every disc image.
 *
 * @param folder Real path.
 */
export async function findCandidates(folder: string): Promise<readonly Candidate[]> {
  const recognized = new Map<string, RecognizedTree>()
  const descriptionOf = (path: string) => recognized.get(path)?.description
  const { trees, searched } = await discover(folder, { id: '.', folder }, async (place) => {
    // Images are looked for below: one of them is published by itself, and never together with a folder.
    if (place.image !== undefined) return false
    // The folder itself is a tree here when anything says so, a kernel alone included.
    const tree = await recognizeFolder(place.id === '.' ? { ...place, id: 'upload' } : place, folder)
    if (tree) recognized.set(place.folder, tree)
    return tree !== undefined
  })
  const wholes = new Set(trees.map((tree) => wholeOf(folder, tree.folder, descriptionOf(tree.folder))))
  const outermost = [...wholes].filter((path) => ![...wholes].some((other) => path.startsWith(`${other}/`)))
  const found: Candidate[] = []
  for (const path of outermost.sort()) {
    const inside = trees.filter((tree) => tree.folder === path || tree.folder.startsWith(`${path}/`))
    const bootable = inside.find((tree) => hasImages(descriptionOf(tree.folder))) ?? inside[0]
    const description = bootable && descriptionOf(bootable.folder)
    if (!description) continue
    const placeOf = (tree: { readonly folder: string }) => relative(path, tree.folder) || '.'
    const places = inside.map(placeOf)
    const first = placeOf(bootable)
    found.push({
      kind: 'folder',
      path,
      place: relative(folder, path) || '.',
      trees: [first, ...places.filter((place) => place !== first)],
      evidence: new Map(
        inside.flatMap((tree) => {
          const evidence = recognized.get(tree.folder)?.evidence
          return evidence ? [[placeOf(tree), evidence] as const] : []
        }),
      ),
      description,
    })
  }
  return [...found, ...(await imagesIn(folder, searched))]
}

/** The folder that holds a tree and all its repositories; never above the folder that was searched. */
function wholeOf(folder: string, tree: string, description: Description | undefined): string {
  const parts = relative(folder, tree).split('/').filter(Boolean)
  const levels = Math.min(parts.length, levelsAbove(description?.repositories ?? []))
  return join(folder, ...parts.slice(0, parts.length - levels))
}

function hasImages(description: Description | undefined): boolean {
  return Object.values(description?.platforms ?? {}).some((images) => images.kernel !== undefined)
}

async function imagesIn(folder: string, searched: Discovery['searched']): Promise<Candidate[]> {
  const found: Candidate[] = []
  for (const { folder: at } of searched) {
    for (const item of await readdir(at, { withFileTypes: true })) {
      const image = item.isFile() ? await findImage(folder, join(at, item.name)) : undefined
      if (image) found.push(image)
    }
  }
  return found
}

/** A file that is a disc image with a tree in it; whatever lies beside it. */
export async function findImage(folder: string, path: string): Promise<Candidate | undefined> {
  if (!(await isDiscImage(path))) return undefined
  const place = relative(folder, path)
  const evidence = await gatherEvidence(await openTree(path, 'iso'), rootPath, place.replace(/\.iso$/i, ''))
  const description = evidence && concludeTree(evidence)
  return (
    description && {
      kind: 'iso',
      path,
      place,
      trees: ['.'],
      evidence: new Map([['.', evidence]]),
      description,
    }
  )
}
