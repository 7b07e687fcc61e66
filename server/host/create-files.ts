import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, syncFolder } from './atomic-write.ts'
import { forEachAtOnce } from './pool.ts'

/** A file that is to be made in a folder. */
export interface NewFile {
  /** Without a slash. */
  readonly name: string
  readonly content: string
}

const stagePrefix = '.making-'
/** How many files are written at once: their syncs share the commits of the file system's journal. */
const atOnce = 32

/**
 * Creates many files in one folder: all of them, or none where a name is taken or the disk is full. They are written and
 * synced in a hidden folder first, and then get their names one after the other, in some microseconds each. Only a crash
 * of the machine in this moment leaves a part of them, each of which is whole.
 *
 * The caller holds a lock of the folder: what an earlier crash left in hidden folders is removed.
 *
 * @returns The name that was taken; undefined when all were made.
 */
export async function createFiles(folder: string, files: readonly NewFile[]): Promise<string | undefined> {
  await makeFolder(folder)
  for (const name of await readdir(folder))
    if (name.startsWith(stagePrefix)) await rm(join(folder, name), { recursive: true, force: true })
  const stage = join(folder, `${stagePrefix}${process.pid}.${randomBytes(6).toString('hex')}`)
  await mkdir(stage)
  try {
    await forEachAtOnce(files, atOnce, ({ name, content }) => writeSynced(join(stage, name), content))
    const taken = await nameAll(folder, stage, files)
    await syncFolder(folder)
    return taken
  } finally {
    await rm(stage, { recursive: true, force: true })
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

/** `link` does not replace a file that somebody has made meanwhile. */
async function nameAll(
  folder: string,
  stage: string,
  files: readonly NewFile[],
): Promise<string | undefined> {
  const made: string[] = []
  try {
    for (const { name } of files) {
      await link(join(stage, name), join(folder, name))
      made.push(name)
    }
    return undefined
  } catch (error) {
    for (const name of made) await removeOurs(join(stage, name), join(folder, name))
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return files[made.length]?.name
    throw error
  }
}

/** Not what an editor has put in its place in the meantime. */
async function removeOurs(staged: string, path: string): Promise<void> {
  const [ours, present] = await Promise.all([stat(staged), stat(path).catch(() => undefined)])
  if (present?.ino === ours.ino && present.dev === ours.dev) await rm(path, { force: true })
}
