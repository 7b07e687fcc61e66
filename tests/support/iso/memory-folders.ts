import type { IsoNode } from '../../../server/files/iso/node.ts'
import type { Folders } from '../../../server/files/iso/walk.ts'

/** What a node has that its path does not say. */
export type MemoryNode = Partial<Omit<IsoNode, 'name'>> & {
  /** Thrown when somebody asks for this node, or for what is in its folder. */
  readonly error?: Error
}

/**
 * The folders of a disc, in memory. A node is a file of one byte, unless it says otherwise; the folders above it are
 * made. Each node begins at a place of its own.
 *
 * @param nodes By path, without a leading slash. The root is ``.
 */
export function memoryFolders(nodes: Readonly<Record<string, MemoryNode>>): Folders {
  const found = new Map<string, IsoNode>()
  const paths = new Map<IsoNode, string>()
  const errors = new Map<string, Error>()
  const add = (path: string, node: MemoryNode): void => {
    if (found.has(path)) return
    const cut = path.lastIndexOf('/')
    if (path !== '') add(path.slice(0, Math.max(0, cut)), { kind: 'folder', size: 0 })
    const { error, ...facts } = node
    if (error) errors.set(path, error)
    const extents = [{ offset: found.size * 2048, length: 1 }]
    const made = {
      name: path.slice(cut + 1),
      kind: 'file',
      size: 1,
      modifiedMs: 0,
      extents,
      ...facts,
    } as const
    found.set(path, made)
    paths.set(made, path)
  }
  for (const [path, node] of Object.entries(nodes)) add(path, node)
  const below = (folder: IsoNode): string => {
    const path = paths.get(folder)
    if (path === undefined || folder.kind !== 'folder')
      throw new Error(`${folder.name} is not a folder of these`)
    const error = errors.get(path)
    if (error) throw error
    return path === '' ? '' : `${path}/`
  }
  return {
    root: async () => found.get('') ?? { name: '', kind: 'folder', size: 0, modifiedMs: 0, extents: [] },
    child: async (folder, name) => found.get(below(folder) + name),
    children: async (folder) => {
      const start = below(folder)
      return [...found].flatMap(([path, node]) =>
        path.startsWith(start) && path !== '' && !path.slice(start.length).includes('/') ? [node] : [],
      )
    },
  }
}
