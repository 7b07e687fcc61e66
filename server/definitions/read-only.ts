import { access, constants, lstat, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { definitionKinds, definitionOf } from '../config/definition-files.ts'
import { isMapping, readYaml } from '../config/yaml.ts'
import { configurationLimits } from '../core/limits/configuration.ts'
import { readFileAtMost } from '../host/read-at-most.ts'
import { textOf } from './yaml-values.ts'

/**
 * Why a definition file may not be written, in words.
 *
 * @param base The folder of config.yaml.
 * @param where The file below it: `guests.d/web01.yaml`.
 */
export async function whyReadOnly(base: string, where: string): Promise<string | undefined> {
  return new ReadOnlyReasons(base).of(where)
}

/** Why a definition file may not be written, asked of many files: what counts for a whole folder is looked at once. */
export class ReadOnlyReasons {
  readonly #base: string
  readonly #managed = new Map<string, Promise<string | undefined>>()

  constructor(base: string) {
    this.#base = base
  }

  async of(where: string): Promise<string | undefined> {
    const { folder } = definitionKinds[definitionOf(where)?.kind ?? 'guest']
    const managed = this.#managed.get(folder) ?? whyManaged(join(this.#base, folder), folder)
    this.#managed.set(folder, managed)
    return (await managed) ?? whyFileNotWritten({ path: join(this.#base, where), where })
  }
}

/** A file and the folder of all of its kind, as paths and as messages name them. */
export interface FileToWrite {
  readonly path: string
  readonly where: string
  readonly folder: string
  readonly shownFolder: string
}

/** Why a file may not be written, in words. */
export async function whyNotWritten(file: FileToWrite): Promise<string | undefined> {
  return (await whyManaged(file.folder, file.shownFolder)) ?? whyFileNotWritten(file)
}

async function whyFileNotWritten({
  path,
  where,
}: Pick<FileToWrite, 'path' | 'where'>): Promise<string | undefined> {
  const own = await lstat(path).catch(() => undefined)
  if (own?.isSymbolicLink()) return `${where} is a link; change the file that it leads to`
  if (own && !(await mayWrite(path))) return `${where} may not be written by this user`
  const above = await nearestFolder(dirname(path))
  return (await mayWrite(above)) ? undefined : `${above} may not be written by this user`
}

/** A deploy tool that owns a folder says so in it. A note that cannot be understood is taken as one. */
async function whyManaged(path: string, folder: string): Promise<string | undefined> {
  const note = join(path, '.treeboot.yaml')
  const bytes = await readFileAtMost(note, configurationLimits.definitionFile.bytes).catch(async () =>
    (await isNothing(note)) ? null : undefined,
  )
  if (bytes === null) return undefined
  const { value, faults } = readYaml(textOf(bytes) ?? '')
  if (bytes && faults.length === 0 && (value === null || (isMapping(value) && value.managed === undefined)))
    return undefined
  const says =
    isMapping(value) && value.managed === 'read-only' ? 'says managed: read-only' : 'cannot be understood'
  return `the files of ${folder} belong to another tool: ${folder}/.treeboot.yaml ${says}`
}

/** A link to a file that does not exist is something. */
async function isNothing(path: string): Promise<boolean> {
  return lstat(path).then(
    () => false,
    ({ code }: NodeJS.ErrnoException) => code === 'ENOENT' || code === 'ENOTDIR',
  )
}

async function mayWrite(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  )
}

async function nearestFolder(path: string): Promise<string> {
  const isThere = await stat(path).catch(() => undefined)
  return isThere || dirname(path) === path ? path : nearestFolder(dirname(path))
}
