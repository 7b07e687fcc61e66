import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type IsoSource, isoSource } from '../../server/files/iso/source.ts'
import { cleanPath } from '../../server/files/path.ts'
import type { Entry, FileSource } from '../../server/files/source.ts'
import { anyone, contentOf } from '../contract/file-source.ts'
import { temporaryFolder } from './tree-folder.ts'

/** The entry at a path. `anyone` asks, here and in the functions below. */
export function stat(source: FileSource, path: string): Promise<Entry | undefined> {
  return source.stat(cleanPath(path), anyone)
}

/** The text of a file. Rejects when the path does not exist or is a folder. */
export async function text(source: FileSource, path: string): Promise<string> {
  return (await contentOf(await stat(source, path))).toString('utf8')
}

/** The text of a file, `(folder)` for a folder, undefined when the path does not exist. */
export async function textOrFolder(source: FileSource, path: string): Promise<string | undefined> {
  const entry = await stat(source, path)
  return entry?.kind === 'folder' ? '(folder)' : entry && (await contentOf(entry)).toString('utf8')
}

/** The names in a folder. Undefined when the path is not a folder. */
export async function names(source: FileSource, path: string): Promise<string[] | undefined> {
  return (await source.list(cleanPath(path), anyone))?.map((entry) => entry.name)
}

/** Writes an image into a temporary folder under this name, and opens it. */
export async function imageSource(
  bytes: Uint8Array,
  name = 'disc.iso',
): Promise<{ source: IsoSource; file: string }> {
  const file = join(temporaryFolder(), name)
  await writeFile(file, bytes)
  return { source: await isoSource(file), file }
}
