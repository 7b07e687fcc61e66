import { Failure } from '../../core/failure.ts'
import type { IsoNode } from './node.ts'
import type { Folders } from './walk.ts'

/**
 * The longest file that a directory record of ISO 9660 can describe: its length has 32 bits (ECMA-119 9.1.4).
 */
const mostRecordBytes = 0xffffffff

/**
 * Reads ISO 9660 on a bridge disc (ISO 9660 and UDF), and takes from UDF the sizes that do not fit into ISO
 * 9660.
 *
 * lorax and livecd-tools call `genisoimage -allow-limited-size` for a file over 4 GiB. It writes the low 32
 * bits of the length into the directory record, and the whole length into UDF. Linux reads the right size,
 * because libblkid takes a bridge disc for UDF. But genisoimage writes symlinks into UDF as empty files. So
 * we read names and links from Rock Ridge. We look into UDF only for a file that may be longer than its
 * record says: a file that begins more than 4 GiB before the end of the image.
 *
 * @param imageBytes The length of the image, or the length that its volume descriptor states, whichever is
 *   larger: a copied image may be cut short.
 * @param openUdf Opens UDF when it is first needed. When UDF cannot be read, a file that may be longer is
 *   refused. With the length of its record it would be sent cut short, without any error.
 */
export function bridged(iso: Folders, imageBytes: number, openUdf: () => Promise<Folders>): Folders {
  const twins = createTwins(iso, openUdf)

  const checked = async (folder: IsoNode, node: IsoNode): Promise<IsoNode> => {
    if (node.kind === 'folder') twins.note(folder, node)
    if (node.kind !== 'file' || node.trouble || !mayBeLonger(node, imageBytes)) return node
    try {
      const twin = await twins.childOf(folder, node.name)
      return twin && isLonger(twin, node) ? { ...twin, name: node.name, modifiedMs: node.modifiedMs } : node
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return {
        ...node,
        trouble: {
          kind: error.kind,
          message: `${error.message}; therefore the size of ${node.name} is not known`,
        },
      }
    }
  }

  return {
    root: () => iso.root(),
    async child(folder, name) {
      const node = await iso.child(folder, name)
      return node && checked(folder, node)
    },
    async children(folder) {
      const nodes: IsoNode[] = []
      for (const child of await iso.children(folder)) nodes.push(await checked(folder, child))
      return nodes
    },
  }
}

/**
 * Whether UDF may give a larger size. A record of length 0 has no position; 0 is assumed. A file in several pieces
 * has a record for each of them, and so its whole length.
 */
function mayBeLonger({ extents, size }: IsoNode, imageBytes: number): boolean {
  return (
    size <= mostRecordBytes && extents.length <= 1 && (extents[0]?.offset ?? 0) + mostRecordBytes < imageBytes
  )
}

/**
 * Whether the UDF file `twin` is the same file as `node`, with the length that the record cannot describe.
 */
function isLonger(twin: IsoNode, node: IsoNode): boolean {
  const [udfExtent] = twin.extents
  const [isoExtent] = node.extents
  if (twin.kind !== 'file' || twin.size <= mostRecordBytes) return false
  // Both must begin at the same byte; otherwise the UDF file of this name is another file.
  return isoExtent === undefined || isoExtent.offset === udfExtent?.offset
}

/** Finds the UDF folder that belongs to a folder of ISO 9660, by name from the root down. */
function createTwins(iso: Folders, openUdf: () => Promise<Folders>) {
  let opening: Promise<Folders> | undefined
  const parents = new WeakMap<IsoNode, IsoNode>()

  const opened = (): Promise<Folders> => {
    opening ??= openUdf()
    opening.catch(() => {
      opening = undefined
    })
    return opening
  }

  const twinOf = async (udf: Folders, folder: IsoNode): Promise<IsoNode | undefined> => {
    // `IsoFolders` returns the same object for the root each time.
    if (folder === (await iso.root())) return udf.root()
    const parent = parents.get(folder)
    const above = parent && (await twinOf(udf, parent))
    return above?.kind === 'folder' ? udf.child(above, folder.name) : undefined
  }

  return {
    note: (parent: IsoNode, folder: IsoNode): void => {
      parents.set(folder, parent)
    },
    async childOf(folder: IsoNode, name: string): Promise<IsoNode | undefined> {
      const udf = await opened()
      const twin = await twinOf(udf, folder)
      return twin?.kind === 'folder' ? udf.child(twin, name) : undefined
    },
  }
}
