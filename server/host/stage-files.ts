import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, syncFolder } from './atomic-write.ts'
import { forEachAtOnce } from './pool.ts'

/** A file that is to be made in a folder. */
export interface NewFile {
  /** Without a slash. */
  readonly name: string
  readonly content: string
}

/** Files that are written and synced in a hidden folder, and have no names of their own yet. */
export interface Stage {
  /** Absolute path of a staged file, which `link` gives its name in some microseconds. */
  pathOf(name: string): string
  remove(): Promise<void>
}

const stagePrefix = '.making-'
/** How many files are written at once: their syncs share the commits of the file system's journal. */
const atOnce = 32

/**
 * Writes many new files of a folder into a hidden folder in it: all of them, or none where the disk is full.
 *
 * The caller holds a lock of the folder: what an earlier crash left in hidden folders is removed.
 */
export async function stageFiles(folder: string, files: readonly NewFile[]): Promise<Stage> {
  await makeFolder(folder)
  for (const name of await readdir(folder))
    if (name.startsWith(stagePrefix)) await rm(join(folder, name), { recursive: true, force: true })
  const stage = join(folder, `${stagePrefix}${process.pid}.${randomBytes(6).toString('hex')}`)
  const remove = (): Promise<void> => rm(stage, { recursive: true, force: true })
  await mkdir(stage)
  try {
    await forEachAtOnce(files, atOnce, ({ name, content }) => writeSynced(join(stage, name), content))
    await syncFolder(stage)
    await syncFolder(folder)
    return { pathOf: (name) => join(stage, name), remove }
  } catch (error) {
    await remove()
    throw error
  }
}

async function writeSynced(path: string, content: string): Promise<void> {
  const handle = await open(path, 'wx', 0o644)
  try {
    await writeFile(handle, content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
