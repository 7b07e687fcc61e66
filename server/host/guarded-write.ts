import { randomBytes } from 'node:crypto'
import { copyFile, link, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Content, syncFolder, type WriteOptions, withTempFile } from './atomic-write.ts'

/**
 * Changes of files that a person may be editing at the same moment. No call of a POSIX system replaces a file on the
 * condition that it has some content. So the present file gets a second name before it is replaced, and is looked at
 * afterwards: who wrote into it meanwhile is heard. What remains is an editor that renames its own file between the
 * last look and our rename: the time between two system calls.
 */

/** Error codes of file systems without hard links, and of a file of another user (fs.protected_hardlinks of Linux). */
const cannotLinkCodes = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV'])

/** Replaces a file that has this content. False, and nothing has changed, when it has another one or is gone. */
export async function replaceIfSame(
  file: string,
  expected: Uint8Array,
  content: Content,
  options: WriteOptions = {},
): Promise<boolean> {
  let replaced = false
  await withTempFile(file, content, options, async (temp) => {
    const spare = spareName(file)
    try {
      if (!(await keepSpare(file, spare)) || !(await hasContent(spare, expected))) return
      if (!(await isStillThere(file, spare))) return
      await rename(temp, file)
      replaced = await hasContent(spare, expected)
      if (!replaced) await rename(spare, file)
    } finally {
      await rm(spare, { force: true })
    }
  })
  return replaced
}

/** Removes a file that has this content. False, and nothing has changed, when it has another one or is gone. */
export async function removeIfSame(
  file: string,
  expected: Uint8Array,
  { namesLater = false }: Pick<WriteOptions, 'namesLater'> = {},
): Promise<boolean> {
  const spare = spareName(file)
  if (!(await hasContent(file, expected))) return false
  try {
    await rename(file, spare)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  const isSame = await hasContent(spare, expected)
  // `link` does not replace a file of this name that is newer still.
  if (!isSame)
    await link(spare, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  await rm(spare, { force: true })
  if (!namesLater) await syncFolder(dirname(file))
  return isSame
}

/** What a change that was cut off can tell of a text. */
export interface KnownTexts {
  /** Whether this is what the change expected. */
  readonly isBefore: (bytes: Uint8Array) => boolean
  /** Whether this is what the change wanted. */
  readonly isAfter: (bytes: Uint8Array) => boolean
}

/**
 * Removes what changes of files left behind whose process was killed. A spare that is not what the change expected is an
 * editor's text that it had replaced, and had no time to put back: it gets its place again. The caller holds a lock: no
 * other change of ours is on its way.
 *
 * @param files Path -> what its change knows. A folder is read once, however many of its files these are.
 */
export async function settleLeftovers(files: ReadonlyMap<string, KnownTexts>): Promise<void> {
  for (const folder of new Set([...files.keys()].map(dirname))) {
    let found = false
    for (const name of await readdir(folder).catch(() => [])) {
      const [, own = '', kind] = /^\.(.+)\.\d+\.[0-9a-f]{12}\.(tmp|spare)$/.exec(name) ?? []
      const file = join(folder, own)
      const known = files.get(file)
      if (!known) continue
      if (kind === 'spare') await putBackEdited(join(folder, name), file, known)
      await rm(join(folder, name), { force: true })
      found = true
    }
    if (found) await syncFolder(folder)
  }
}

async function putBackEdited(spare: string, file: string, { isBefore, isAfter }: KnownTexts): Promise<void> {
  const kept = await readFile(spare)
  if (isBefore(kept)) return
  const present = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (!present)
    await link(spare, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  else if (isAfter(present)) await rename(spare, file)
}

function spareName(file: string): string {
  return join(dirname(file), `.${basename(file)}.${process.pid}.${randomBytes(6).toString('hex')}.spare`)
}

/** Gives the file a second name. False when it is gone. */
async function keepSpare(file: string, spare: string): Promise<boolean> {
  try {
    await link(file, spare)
    return true
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return false
    if (!cannotLinkCodes.has(code)) throw error
    await copyFile(file, spare)
    return true
  }
}

/** Whether nobody has put another file in the place of the one that the spare is. A copy is compared by its bytes. */
async function isStillThere(file: string, spare: string): Promise<boolean> {
  const [one, other] = await Promise.all([file, spare].map((path) => stat(path).catch(() => undefined)))
  if (!one || !other) return false
  return (one.dev === other.dev && one.ino === other.ino) || hasContent(file, await readFile(spare))
}

async function hasContent(file: string, expected: Uint8Array): Promise<boolean> {
  const bytes = await readFile(file).catch(() => undefined)
  return bytes?.equals(expected) === true
}
