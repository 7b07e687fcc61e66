import { lstat, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure } from '../core/failure.ts'
import { configurationLimits } from '../core/limits/configuration.ts'
import { FileTexts } from '../host/file-texts.ts'
import { readFileAtMost } from '../host/read-at-most.ts'
import { whyUnreadable } from './problems.ts'

/** What a definition file may define: one entry of this section of config.yaml, with the same keys. */
export const definitionKinds = {
  profile: {
    folder: 'profiles.d',
    section: 'profiles',
    deep: false,
    example: '"tree: ...", "template: ..."',
  },
  guest: { folder: 'guests.d', section: 'guests', deep: false, example: '"mac: ...", "profile: ..."' },
  /** The id of a mirror is a path: `mirrors.d/fedora/41.yaml` mirrors the tree `fedora/41`. */
  mirror: { folder: 'mirrors.d', section: 'mirrors', deep: true, example: '"url: ...", "schedule: ..."' },
} as const

export type DefinitionKind = keyof typeof definitionKinds
export const kindNames = Object.keys(definitionKinds) as DefinitionKind[]

/** The folders beside config.yaml that have definition files. */
export const definitionFolders: readonly string[] = kindNames.map((kind) => definitionKinds[kind].folder)

/**
 * A file beside config.yaml that defines one guest, profile or mirror. Programs write definitions here, because
 * config.yaml belongs to a person, who keeps comments and an order in it.
 */
export interface DefinitionFile {
  readonly kind: DefinitionKind
  /** The name of the guest or profile, or the id of the mirror. */
  readonly name: string
  /** The name of the file in messages: `guests.d/web02.yaml`. */
  readonly shownName: string
  /** Undefined when the file cannot be read. */
  readonly text: string | undefined
  /** Why it cannot be read. */
  readonly whyNot?: string
}

/** The file of one definition has a few lines. A larger file is refused. */
const maxBytes = configurationLimits.definitionFile.bytes
/** The id of a mirror has at most eight names (`mirrorId` in file-schema.ts). */
const maxDepth = 8
/** Texts that this process has read. */
const texts = new FileTexts()
/** How many files are read at once. */
const readAtOnce = 32

const fileForm = /^(?<name>[^.].*)\.ya?ml$/

/** What a file is the definition of, by its name in messages: guest `web02` for `guests.d/web02.yaml`. */
export function definitionOf(shownName: string): Pick<DefinitionFile, 'kind' | 'name'> | undefined {
  const slash = shownName.indexOf('/')
  const kind = kindNames.find((each) => definitionKinds[each].folder === shownName.slice(0, slash))
  const name = fileForm.exec(shownName.slice(slash + 1))?.groups?.name
  return kind === undefined || name === undefined ? undefined : { kind, name }
}

/**
 * Reads all definition files beside a config.yaml, kind by kind, sorted by name. A file that cannot be read is
 * there without a text.
 *
 * @param only The files of one kind, or of one definition.
 * @throws Failure when a folder cannot be read: nobody can say what it defines.
 */
export async function readDefinitionFiles(
  configPath: string,
  only?: { readonly kind: DefinitionKind; readonly name?: string },
): Promise<readonly DefinitionFile[]> {
  const base = dirname(configPath)
  const kinds = only ? [only.kind] : kindNames
  const all = (await Promise.all(kinds.map((kind) => namesIn(base, kind)))).flat()
  const names = only?.name === undefined ? all : all.filter((name) => definitionOf(name)?.name === only.name)
  const files: DefinitionFile[] = []
  for (let i = 0; i < names.length; i += readAtOnce)
    for (const file of await Promise.all(names.slice(i, i + readAtOnce).map((name) => readOne(base, name))))
      if (file) files.push(file)
  return files
}

/** The names of the definition files of a kind, as messages show them. */
async function namesIn(base: string, kind: DefinitionKind): Promise<string[]> {
  const { folder, deep } = definitionKinds[kind]
  const found: string[] = []
  const look = async (below: string, depth: number): Promise<void> => {
    const path = join(base, below)
    const entries = await readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw new Failure('invalid-data', `${path}: ${whyUnreadable(error)}`)
    })
    for (const entry of entries) {
      const shownName = `${below}/${entry.name}`
      const isFolder = deep && !entry.name.startsWith('.') && (await isFolderAt(entry, join(base, shownName)))
      if (isFolder && depth < maxDepth) await look(shownName, depth + 1)
      else if (!isFolder && fileForm.test(entry.name)) found.push(shownName)
    }
  }
  await look(folder, 1)
  return found.sort()
}

async function isFolderAt(
  entry: { isDirectory(): boolean; isSymbolicLink(): boolean },
  path: string,
): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory()
  const target = await stat(path).catch(() => undefined)
  return target?.isDirectory() === true
}

/** Undefined for a file that was removed since its folder was read. */
async function readOne(base: string, shownName: string): Promise<DefinitionFile | undefined> {
  const defines = definitionOf(shownName)
  if (!defines) return undefined
  const path = join(base, shownName)
  const unreadable = (whyNot: string): DefinitionFile => ({ ...defines, shownName, text: undefined, whyNot })
  try {
    const text = await texts.text(path, async () => {
      const bytes = await readFileAtMost(path, maxBytes)
      return bytes && new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    })
    return text === undefined
      ? unreadable(`has more than ${maxBytes} bytes`)
      : { ...defines, shownName, text }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (error instanceof Failure) return unreadable(error.message)
    if (error instanceof TypeError) return unreadable('is not UTF-8 text; save it as UTF-8')
    if (code !== 'ENOENT') return unreadable(whyUnreadable(error as NodeJS.ErrnoException))
    const isThere = await lstat(path).catch(() => undefined)
    return isThere && unreadable('is a link to a file that does not exist')
  }
}

/**
 * Returns a text that changes when a definition file is added or removed. With `each-file` the text also changes
 * when a file is edited in place, or added in a folder below. The cost is a stat of each folder; with `each-file`
 * one more for each file.
 */
export async function definitionFilesState(
  configPath: string,
  look: 'folders' | 'each-file',
): Promise<string> {
  const base = dirname(configPath)
  const states = kindNames.map(async (kind) => {
    const folder = await stateOf(join(base, definitionKinds[kind].folder))
    if (look === 'folders') return folder
    const names = await namesIn(base, kind).catch(() => [])
    const lines = [folder]
    // Not all at once: whoever else waits for a file would wait behind all of them.
    for (let i = 0; i < names.length; i += readAtOnce) {
      const some = names.slice(i, i + readAtOnce)
      lines.push(
        ...(await Promise.all(some.map(async (name) => `${name} ${await stateOf(join(base, name))}`))),
      )
    }
    return lines.join('\n')
  })
  return (await Promise.all(states)).join('\n')
}

async function stateOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
