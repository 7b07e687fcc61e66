import { expect } from 'vitest'
import { Failure } from '../../../server/core/failure.ts'
import { openDisc } from '../../../server/files/iso/disc.ts'
import type { Image } from '../../../server/files/iso/image.ts'
import type { IsoNode } from '../../../server/files/iso/node.ts'
import { type CleanPath, joinPath, rootPath } from '../../../server/files/path.ts'

/**
 * An image in memory that counts its reads, and refuses one outside of the image.
 *
 * @param size When it is larger than the bytes, zeros follow.
 */
export function imageOf(bytes: Buffer, size = bytes.length): Image & { readonly readings: () => number } {
  let readings = 0
  return {
    name: 'x.iso',
    size,
    readings: () => readings,
    readAt(position, length) {
      readings++
      if (position < 0 || length < 0 || position + length > size)
        throw new Error(`a reading outside of the image: ${length} bytes at ${position} of ${size}`)
      const read = Buffer.alloc(length)
      read.set(bytes.subarray(position, position + length))
      return Promise.resolve(read)
    },
  }
}

/** Where readings fail, and with which error. */
interface Fault {
  readonly at: number
  readonly error: Error
}

/** An image in memory. While `disk` has a fault, a reading of the byte there is refused with its error. */
export function imageOnDisk(bytes: Buffer): ReturnType<typeof imageOf> & { disk: { fault?: Fault } } {
  const image = imageOf(bytes)
  const disk: { fault?: Fault } = {}
  return {
    ...image,
    disk,
    readAt(position, length) {
      const { fault } = disk
      const fails = fault && position <= fault.at && fault.at < position + length
      return fails ? Promise.reject(fault.error) : image.readAt(position, length)
    },
  }
}

/** When so many nodes were found, no further folder is listed. */
const mostNodes = 300

/** What a walk found, and how often it read from the image. */
export interface Walked {
  readonly nodes: readonly (readonly [CleanPath, IsoNode])[]
  readonly failures: readonly Failure[]
  readonly readings: number
}

/** Lists and finds everything in the image, like a client that follows each listing, up to a bound. */
export async function walkImage(bytes: Buffer, size = bytes.length): Promise<Walked> {
  const image = imageOf(bytes, size)
  const nodes: [CleanPath, IsoNode][] = []
  const failures: Failure[] = []
  const keep = (error: unknown): undefined => {
    if (!(error instanceof Failure)) throw error
    failures.push(error)
    return undefined
  }
  const disc = await openDisc(image).catch(keep)
  const waiting: CleanPath[] = disc ? [rootPath] : []
  for (
    let path = waiting.pop();
    disc && path !== undefined && nodes.length < mostNodes;
    path = waiting.pop()
  ) {
    for (const node of (await disc.list(path).catch(keep)) ?? []) {
      const at = joinPath(path, node.name)
      nodes.push([at, node])
      await disc.find(at).catch(keep)
      if (node.kind === 'folder') waiting.push(at)
      expectInside(at, node, size)
    }
  }
  return { nodes, failures, readings: image.readings() }
}

/** Expects that the bytes of an intact file lie inside of the image. */
function expectInside(path: CleanPath, node: IsoNode, size: number): void {
  if (node.trouble || node.kind !== 'file') return
  for (const { offset, length } of node.extents)
    if (offset < 0 || offset + length > size) expect.fail(`${path} lies at ${offset}, outside of the image`)
}

/** Lines of `offset: hex`, 32 bytes each, without those that are all zero; the first line is the size. */
export function sparseHex(bytes: Buffer): string {
  const lines = [`size ${bytes.length}`]
  for (let at = 0; at < bytes.length; at += 32) {
    const row = bytes.subarray(at, at + 32)
    if (row.some((byte) => byte !== 0)) lines.push(`${at}: ${row.toString('hex')}`)
  }
  return `${lines.join('\n')}\n`
}

export function fromSparseHex(text: string): Buffer {
  const [first = '', ...lines] = text.trim().split('\n')
  const bytes = Buffer.alloc(Number(first.replace('size ', '')))
  for (const line of lines) {
    const [at = '', hex = ''] = line.split(': ')
    Buffer.from(hex, 'hex').copy(bytes, Number(at))
  }
  return bytes
}
