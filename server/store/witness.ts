import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
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
      await mkdir(dirname(file), { recursive: true })
      await writeAtomically(file, `${JSON.stringify({ store_id: id, changes })}\n`)
      isWritten = true
    } catch (error) {
      onTrouble(error)
    }
  return isWritten
}
