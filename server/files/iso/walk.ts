import { Failure } from '../../core/failure.ts'
import type { CleanPath } from '../path.ts'
import { damaged, type Image } from './image.ts'
import type { IsoNode } from './node.ts'

/** As Linux does: a path that takes more has a loop. */
const mostLinks = 40
const mostDepth = 128

/** The folders of one file system of a disc, each asked for what it holds. */
export interface Folders {
  root(): Promise<IsoNode>
  /** What has this name in a folder, symlinks as they are. */
  child(folder: IsoNode, name: string): Promise<IsoNode | undefined>
  children(folder: IsoNode): Promise<readonly IsoNode[]>
}

/** A folder to come and the ones above it, the root first. */
type Chain = readonly IsoNode[]

/**
 * What is at a path, symlinks followed inside the image; undefined when there is no such thing, or a link leads
 * out of the image or in circles.
 */
export async function find(image: Image, folders: Folders, path: CleanPath): Promise<IsoNode | undefined> {
  return (await walk(image, folders, [await folders.root()], split(path)))?.at(-1)
}

/** What a folder holds, symlinks replaced by what they lead to; undefined when it is no folder. */
export async function list(
  image: Image,
  folders: Folders,
  path: CleanPath,
): Promise<readonly IsoNode[] | undefined> {
  const chain = await walk(image, folders, [await folders.root()], split(path))
  const folder = chain?.at(-1)
  if (!chain || folder?.kind !== 'folder') return undefined
  const nodes: IsoNode[] = []
  for (const node of await folders.children(folder)) {
    if (node.kind === 'symlink') {
      const behind = await walk(image, folders, chain, [node.name]).catch(damageIsNothing)
      const last = behind?.at(-1)
      if (last) nodes.push({ ...last, name: node.name })
    } else if (node.kind === 'file' || !isLoop(chain, node)) nodes.push(node)
  }
  return nodes
}

/** The symlinks of a folder, name to target as written, those that lead nowhere too; undefined when it is no folder. */
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

/** Follows names from a folder; gives it and all folders on the way. */
async function walk(
  image: Image,
  folders: Folders,
  from: Chain,
  names: readonly string[],
): Promise<Chain | undefined> {
  const chain = [...from]
  const left = [...names].reverse()
  let links = 0
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (name === '' || name === '.') continue
    const here = chain.at(-1)
    if (name === '..') {
      if (chain.length === 1) return undefined
      chain.pop()
      continue
    }
    if (here?.kind !== 'folder') return undefined
    const node = await folders.child(here, name)
    if (!node) return undefined
    if (node.kind === 'symlink') {
      if (++links > mostLinks || !node.target || node.target.startsWith('/')) return undefined
      left.push(...node.target.split('/').reverse())
      continue
    }
    if (node.kind === 'folder' && isLoop(chain, node)) {
      const at = node.extents[0]?.offset ?? 0
      throw damaged(image, at, `the folder ${name} holds itself, or lies more than ${mostDepth} deep`)
    }
    chain.push(node)
  }
  return chain
}

function isLoop(chain: Chain, node: IsoNode): boolean {
  const at = node.extents[0]?.offset
  return chain.length > mostDepth || chain.some(({ extents }) => extents[0]?.offset === at)
}

function damageIsNothing(error: unknown): undefined {
  if (error instanceof Failure && (error.kind === 'invalid-data' || error.kind === 'unsupported'))
    return undefined
  throw error
}

function split(path: CleanPath): string[] {
  return path.split('/').filter((part) => part !== '')
}
