import { open } from 'node:fs/promises'
import { isTellingFolder } from '../../core/distro/layouts.ts'
import { failureKind, failureMessage } from '../../core/failure.ts'
import { stampOf } from '../../files/listing-source.ts'
import type { Entry } from '../../files/source.ts'
import type { ImageLook } from './image-look.ts'

/**
 * Whether a file without the mark of a disc is meant to be an image of one: the administrator is told what is wrong
 * with it. Every `.iso` is. Of the files `.img`, which are boot files and virtual disks as well, those that are empty
 * or begin with zeros or ones alone, outside of folders with boot files: so a stick or a disk that failed leaves them.
 *
 * @param id The tree that the image would be: its path below `trees/` without the ending.
 */
export async function isMeantAsImage(file: string, name: string, id: string): Promise<boolean> {
  const stamp = await stampOf(file)
  if (!stamp || stamp.folder) return false
  if (/\.iso$/i.test(name)) return true
  const folders = id.split('/').slice(0, -1)
  return !bootFile.test(name) && !folders.some(isTellingFolder) && (await isBlank(file))
}

/** How the names of boot files begin that distributions call `.img`. */
const bootFile = /^(?:init|root|boot|efi|install|updates|product|stage|min|squash|live|rescue|kernel)/i

/** As far as a disc's first volume descriptor (ECMA-119 6.2.1: sector 16), and beyond. */
const headBytes = 64 * 1024

async function isBlank(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch(() => undefined)
  if (!handle) return false
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0)
    const head = buffer.subarray(0, bytesRead)
    const [first = 0] = head
    return (first === 0x00 || first === 0xff) && head.every((byte) => byte === first)
  } catch {
    return false
  } finally {
    await handle.close()
  }
}

/**
 * What is wrong with an image that nothing can be read from, or that boots nothing while parts of it cannot be read,
 * and what to do. Undefined when the image can be read, and for errors of the disk that may pass.
 *
 * @param root The entries of its root folder; undefined when that cannot be read.
 */
export function whyUnreadable(
  name: string,
  { fault, image }: Pick<ImageLook, 'fault' | 'image'>,
  { root, boots }: { readonly root: readonly Entry[] | undefined; readonly boots: boolean },
): string | undefined {
  if (image.size === 0) return `${name} is empty: copy it again`
  // An installer's disc has files, and ECMA-119 6.8.2.2 puts two records into every directory: a hole was copied.
  if (root?.length === 0)
    return `${name} is not a readable image of a disc: copy it again (its root folder is empty)`
  if (fault === undefined || boots) return undefined
  if ((fault as NodeJS.ErrnoException).code === 'EACCES')
    return `${name} cannot be read by this user: change its mode or owner`
  const what = failureMessage(fault)
  return failureKind(fault) === 'unsupported'
    ? `${name} cannot be read: ${what}`
    : `${name} is not a readable image of a disc: copy it again (${what})`
}
