import { constants } from 'node:fs'
import { access, mkdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { failureMessage } from '../core/failure.ts'
import type { StoreMark, WitnessSays } from '../core/guest/doubt.ts'
import { writeAtomically } from '../host/atomic-write.ts'

/**
 * The witness: a small file outside of the data folder, with the mark of the store. A store that lies behind its
 * witness is an old copy, and one with another id is a new one: both have forgotten what was installed.
 */

/** What the witnesses say; files that do not exist say nothing. */
export async function readWitnesses(files: readonly string[]): Promise<readonly WitnessSays[]> {
  const all = await Promise.all(files.map(readOne))
  return all.filter((said) => said !== undefined)
}

async function readOne(file: string): Promise<WitnessSays | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : 'damaged'
  }
  try {
    const { store_id: id, changes } = JSON.parse(text) as { store_id?: unknown; changes?: unknown }
    if (typeof id === 'string' && Number.isSafeInteger(changes)) return { id, changes: changes as number }
  } catch {
    // Not JSON.
  }
  return 'damaged'
}

/**
 * Writes the mark to each file. A file that cannot be written keeps an older mark, which still tells a lost store from
 * this one.
 *
 * @returns Whether one of them was written.
 */
export async function writeWitness(
  files: readonly string[],
  { id, changes }: StoreMark,
  onTrouble: (error: unknown) => void,
): Promise<boolean> {
  let isWritten = false
  for (const file of files)
    try {
      await makeFolderOf(file)
      await writeAtomically(file, `${JSON.stringify({ store_id: id, changes })}\n`)
      isWritten = true
    } catch (error) {
      onTrouble(error)
    }
  return isWritten
}

/**
 * Makes the folder of a witness. The default one lies in treeboot's own folder of `paths.trees`. That folder of trees is
 * not made for it: a name that leads nowhere is a mistake, or a disk that is not mounted.
 */
async function makeFolderOf(file: string): Promise<void> {
  const folder = dirname(file)
  if (basename(folder) === ownFolder) await mkdir(folder).catch(ignoreExisting)
  else await mkdir(folder, { recursive: true })
}

/** `ownFolder` of versions/layout.ts, which this room may not import. */
const ownFolder = '.treeboot'

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

/** Why a witness cannot be written, for people; undefined when it can. It writes nothing. */
export async function whyNoWitness(file: string): Promise<string | undefined> {
  // The file itself is replaced, so only the nearest folder above it that exists matters.
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const stats = await stat(folder).catch((error: NodeJS.ErrnoException) => error)
    if (!(stats instanceof Error)) {
      if (!stats.isDirectory()) return `${folder} is not a folder`
      return access(folder, constants.W_OK).then(
        () => undefined,
        (error) => failureMessage(error),
      )
    }
    if (stats.code === 'ENOENT' && basename(dirname(file)) === ownFolder && folder !== dirname(file))
      return `${folder} does not exist`
    if (stats.code !== 'ENOENT' || folder === dirname(folder)) return failureMessage(stats)
  }
}
