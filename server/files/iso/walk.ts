import { defined } from '../../core/defined.ts'
import { imageLimits } from '../../core/limits/images.ts'
import { type CleanPath, isServedTarget } from '../path.ts'
import { damaged, type Image, isFaultOfImage } from './image.ts'
import type { IsoNode } from './node.ts'

/** The most symlinks on one path, and the most folders above one another. */
const { entries: mostLinks, depth: mostDepth } = imageLimits.imagePath

/** The folders of one file system of a disc. */
export interface Folders {
  root(): Promise<IsoNode>
  /** The node with a name in a folder. Symlinks are not followed. */
  child(folder: IsoNode, name: string): Promise<IsoNode | undefined>
  children(folder: IsoNode): Promise<readonly IsoNode[]>
}

/** A node and the folders above it, the root first. */
type Chain = readonly IsoNode[]

/**
 * Finds the node at a path and follows symlinks inside the image. Undefined when nothing is there, or when a
 * link leads out of the image or in circles.
 */
export async function find(image: Image, folders: Folders, path: CleanPath): Promise<IsoNode | undefined> {
  const walking = newWalk(image, folders)
  const names = split(path)
  const last = names.pop()
  const chain = await walk(walking, [await folders.root()], names)
  if (!chain || last === undefined) return chain?.at(-1)
  const node = await childOf(folders, chain.at(-1), last)
  return node?.kind === 'symlink'
    ? behindLink(walking, chain, node)
    : (await walk(walking, chain, [last]))?.at(-1)
}

/** Lists a folder, with symlinks replaced by what they lead to. Undefined when the path is not a folder. */
export async function list(
  image: Image,
  folders: Folders,
  path: CleanPath,
): Promise<readonly IsoNode[] | undefined> {
  const chain = await walk(newWalk(image, folders), [await folders.root()], split(path))
  const folder = chain?.at(-1)
  if (!chain || folder?.kind !== 'folder') return undefined
  const nodes: IsoNode[] = []
  const walking = newWalk(image, folders)
  for (const node of await folders.children(folder)) {
    if (node.kind === 'symlink') {
      const behind = await behindLink(walking, chain, node).catch(undefinedIfDamaged)
      if (behind) nodes.push(behind)
    }
    // A folder that holds itself is not listed. A request for it is refused with the reason.
    else if (node.kind === 'file' || !isLoop(chain, node)) nodes.push(node)
  }
  return nodes
}

/**
 * What a symlink leads to, under its name and with its target. A target that no service can show is left
 * out. `walk` has checked that it stays inside: it finds nothing above the root of the image.
 */
async function behindLink(walking: Walk, chain: Chain, link: IsoNode): Promise<IsoNode | undefined> {
  const node = (await walk(walking, chain, [link.name]))?.at(-1)
  const target = link.target !== undefined && isServedTarget(link.target) ? link.target : undefined
  return node && { ...node, name: link.name, ...defined({ target }) }
}

/**
 * The symlinks of a folder: name to target as written, dangling ones included. Undefined when the path is not
 * a folder.
 */
export async function links(
  image: Image,
  folders: Folders,
  path: CleanPath,
): Promise<ReadonlyMap<string, string> | undefined> {
  const folder = await find(image, folders, path)
  if (folder?.kind !== 'folder') return undefined
  const nodes = await folders.children(folder)
  return new Map(nodes.flatMap(({ name, target }) => (target === undefined ? [] : [[name, target] as const])))
}

/** The paths of one question: all symlinks of a listing share their number of steps. */
interface Walk {
  readonly image: Image
  readonly folders: Folders
  stepsLeft: number
}

function newWalk(image: Image, folders: Folders): Walk {
  return { image, folders, stepsLeft: imageLimits.linkSteps.entries }
}

/** Follows names from a folder. Resolves to the node that they lead to and all folders above it. */
async function walk(walking: Walk, from: Chain, names: readonly string[]): Promise<Chain | undefined> {
  const { image, folders } = walking
  const chain = [...from]
  const remaining = [...names].reverse()
  let links = 0
  for (let name = remaining.pop(); name !== undefined; name = remaining.pop()) {
    countStep(walking)
    if (name === '..') {
      // Above the root nothing is found: no folder is left in the chain.
      chain.pop()
      continue
    }
    const node = await childOf(folders, chain.at(-1), name)
    if (node?.kind === 'symlink') {
      links++
      const target = insideTarget(node, links)
      if (!target) return undefined
      remaining.push(...target.reverse())
    } else if (node) {
      refuseLoop(image, chain, node)
      chain.push(node)
    } else return undefined
  }
  return chain
}

function countStep(walking: Walk): void {
  if (--walking.stepsLeft >= 0) return
  throw damaged(walking.image, 0, 'the symlinks of a folder lead through too many paths')
}

function refuseLoop(image: Image, chain: Chain, node: IsoNode): void {
  if (node.kind !== 'folder' || !isLoop(chain, node)) return
  const at = node.extents[0]?.offset ?? 0
  throw damaged(image, at, `the folder ${node.name} holds itself, or lies more than ${mostDepth} deep`)
}

async function childOf(
  folders: Folders,
  folder: IsoNode | undefined,
  name: string,
): Promise<IsoNode | undefined> {
  return folder?.kind === 'folder' ? folders.child(folder, name) : undefined
}

/**
 * The components of the target of the n-th symlink on a path. Undefined when there are too many symlinks, or
 * when the target is empty, or absolute and so outside the image.
 */
function insideTarget({ target = '' }: IsoNode, n: number): string[] | undefined {
  const isTooLong = target.length > imageLimits.imageLink.bytes
  return n > mostLinks || isTooLong || target === '' || target.startsWith('/') ? undefined : split(target)
}

function isLoop(chain: Chain, node: IsoNode): boolean {
  const at = node.extents[0]?.offset
  return chain.length > mostDepth || chain.some(({ extents }) => extents[0]?.offset === at)
}

function undefinedIfDamaged(error: unknown): undefined {
  if (isFaultOfImage(error)) return undefined
  throw error
}

/** The components of a path, without `.` and empty ones. */
function split(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}
