import { Failure } from '../../core/failure.ts'
import type { IsoNode } from './node.ts'
import type { Folders } from './walk.ts'

/** What a directory record of ISO 9660 can say of a file: 32 bits of length (ECMA-119 9.1.4). */
const mostRecordBytes = 0xffffffff

/**
 * ISO 9660 on a bridge disc, with the sizes of UDF where ISO 9660 has no room for them. `genisoimage
 * -allow-limited-size`, which lorax and livecd-tools give for a file over 4 GiB, writes the low 32 bits of the length
 * into the directory record, and the whole into UDF. Linux is not misled, for libblkid takes a bridge disc for UDF; but
 * UDF as genisoimage writes it has empty files in the place of symlinks, so we read names and links from Rock Ridge and
 * look at UDF for files only that may be longer: those behind whose beginning the image has 4 GiB or more.
 *
 * @param bytes How long the image is, or should be.
 * @param open Opens UDF, when it is first needed. When it cannot be read, such a file is refused: sent as its record
 *   has it, it would be cut and nobody told.
 */
export function bridged(iso: Folders, bytes: number, open: () => Promise<Folders>): Folders {
  const twins = createTwins(iso, open)

  const checked = async (folder: IsoNode, node: IsoNode | undefined): Promise<IsoNode | undefined> => {
    if (!node) return undefined
    if (node.kind === 'folder') twins.note(folder, node)
    if (node.kind !== 'file' || node.trouble || !mayBeLonger(node, bytes)) return node
    try {
      const twin = await twins.childOf(folder, node.name)
      return twin && isLonger(twin, node) ? { ...twin, name: node.name, modifiedMs: node.modifiedMs } : node
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return {
        ...node,
        trouble: { kind: error.kind, message: `${error.message}; so the size of ${node.name} is not known` },
      }
    }
  }

  return {
    root: () => iso.root(),
    child: async (folder, name) => checked(folder, await iso.child(folder, name)),
    async children(folder) {
      const nodes: IsoNode[] = []
      for (const child of await iso.children(folder)) {
        const node = await checked(folder, child)
        if (node) nodes.push(node)
      }
      return nodes
    },
  }
}

/** A record of length 0 tells nothing of where the file would be. */
function mayBeLonger({ extents, size }: IsoNode, bytes: number): boolean {
  return size <= mostRecordBytes && extents.length <= 1 && (extents[0]?.offset ?? 0) + mostRecordBytes < bytes
}

function isLonger(twin: IsoNode, node: IsoNode): boolean {
  const [there] = twin.extents
  const [here] = node.extents
  if (twin.kind !== 'file' || twin.size <= mostRecordBytes || twin.size <= node.size) return false
  return here === undefined || here.offset === there?.offset
}

/** The folders of UDF that the folders of ISO 9660 are, found by name from the root down. */
function createTwins(iso: Folders, open: () => Promise<Folders>) {
  let opening: Promise<Folders> | undefined
  const parents = new WeakMap<IsoNode, IsoNode>()

  const opened = (): Promise<Folders> => {
    opening ??= open()
    opening.catch(() => {
      opening = undefined
    })
    return opening
  }

  const twinOf = async (udf: Folders, folder: IsoNode): Promise<IsoNode | undefined> => {
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
