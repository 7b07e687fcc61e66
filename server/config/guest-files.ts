import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Failure } from '../core/failure.ts'
import { configurationLimits } from '../core/limits/configuration.ts'
import { makeFolder, writeAtomically } from '../host/atomic-write.ts'
import { readAtMost } from '../host/read-at-most.ts'
import { type ProblemList, showValue, whyUnreadable } from './problems.ts'
import { readYaml, type YamlMapping, type YamlText, type YamlValue } from './yaml.ts'

/**
 * A file `guests.d/<name>.yaml` beside config.yaml. It defines one guest, with the keys that the guest would
 * have in `guests:` of config.yaml. Programs add guests here, because config.yaml belongs to a person, who
 * keeps comments and an order in it.
 */
export interface GuestFile {
  /** The name of the guest. */
  readonly name: string
  /** The name of the file in messages: `guests.d/web02.yaml`. */
  readonly shownName: string
  readonly text: string
}

export const guestFolderName = 'guests.d'

/** The file of one guest has a few lines. A larger file is refused. */
const maxBytes = configurationLimits.guestFile.bytes

const fileForm = /^(?<name>[^.].*)\.ya?ml$/

/** The guest that a file of the folder defines: `web02` for `web02.yaml`. */
export function guestNameOf(file: string): string | undefined {
  return fileForm.exec(file)?.groups?.name
}

/** Reads all guest files beside a config.yaml, sorted by name. Empty when the folder does not exist. */
export async function readGuestFiles(configPath: string): Promise<readonly GuestFile[]> {
  const folder = join(dirname(configPath), guestFolderName)
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new Failure('invalid-data', `${folder}: ${whyUnreadable(error)}`)
  })
  const files: GuestFile[] = []
  for (const file of names.sort()) {
    const name = guestNameOf(file)
    if (name !== undefined)
      files.push({ name, shownName: `${guestFolderName}/${file}`, text: await readText(join(folder, file)) })
  }
  return files
}

async function readText(path: string): Promise<string> {
  const shownName = `${guestFolderName}/${basename(path)}`
  const bytes = await readAtMost(path, maxBytes).catch((error: NodeJS.ErrnoException) => {
    // The folder has this name, so only a link can lead nowhere.
    const why = error.code === 'ENOENT' ? 'is a link to a file that does not exist' : whyUnreadable(error)
    throw new Failure('invalid-data', `${shownName}: ${why}`, { cause: error })
  })
  if (!bytes) throw new Failure('invalid-data', `${shownName}: has more than ${maxBytes} bytes`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Failure('invalid-data', `${shownName}: is not UTF-8 text; save it as UTF-8`, { cause })
  }
}

/**
 * Adds each guest file to the configuration, as an entry of `guests:`. Positions in such a guest name its
 * file.
 */
export function withGuestFiles(main: YamlText, files: readonly GuestFile[], problems: ProblemList): YamlText {
  const root = main.value ?? Object.create(null)
  if (files.length === 0 || !isMapping(root)) return main
  const guests = root.guests ?? Object.create(null)
  if (!isMapping(guests)) return main
  root.guests = guests
  const added = new Map<string, { yaml: YamlText; shownName: string }>()
  for (const file of files) {
    const { name, shownName } = file
    const whereOf = (): string =>
      added.get(name)?.shownName ?? `line ${main.position(['guests', name], 'key').line} of the configuration`
    const earlier = Object.hasOwn(guests, name) ? whereOf() : undefined
    const yaml = readGuestFile(file, earlier, problems)
    if (!yaml) continue
    guests[name] = yaml.value
    added.set(name, { yaml, shownName })
  }
  return {
    value: root,
    faults: main.faults,
    position(path, part) {
      const own = path[0] === 'guests' ? added.get(String(path[1])) : undefined
      return own
        ? { ...own.yaml.position(path.slice(2), part), file: own.shownName }
        : main.position(path, part)
    },
  }
}

/**
 * Parses a guest file. Undefined when the file cannot be used; the reasons are added to `problems`. No
 * other setting refers to a guest, so the rest of the configuration is checked without this guest.
 *
 * @param earlier The position of an earlier guest of this name, if there is one.
 */
function readGuestFile(
  { name, shownName, text }: GuestFile,
  earlier: string | undefined,
  problems: ProblemList,
): YamlText | undefined {
  const start = { line: 1, column: 1, file: shownName }
  const yaml = readYaml(text.replace(/^\uFEFF/, ''))
  for (const { message, ...at } of yaml.faults) problems.add('error', { ...at, file: shownName }, message)
  if (yaml.faults.length > 0) return undefined
  if (earlier !== undefined) {
    problems.add('error', start, `guest ${name} is already defined in ${earlier}`, 'remove one of the two')
    return undefined
  }
  if (yaml.value === null || isMapping(yaml.value)) return yaml
  const expected = `expected the settings of guest ${name}: "mac: ...", "profile: ..."`
  problems.add('error', start, `found ${showValue(yaml.value)}, ${expected}`)
  return undefined
}

function isMapping(value: YamlValue): value is YamlMapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Returns a text that changes when a guest file is added or removed. With `each-file` the text also
 * changes when a file is edited in place. The cost is one stat; with `each-file` one more for each file.
 */
export async function guestFilesState(configPath: string, look: 'folder' | 'each-file'): Promise<string> {
  const folder = join(dirname(configPath), guestFolderName)
  try {
    const { ino, mtimeNs, ctimeNs } = await stat(folder, { bigint: true })
    if (look === 'folder') return [ino, mtimeNs, ctimeNs].join(' ')
    const names = (await readdir(folder)).filter((name) => fileForm.test(name)).sort()
    const states = await Promise.all(
      names.map(async (name) => {
        const { ino: inode, size, mtimeNs: changed } = await stat(join(folder, name), { bigint: true })
        return [name, inode, size, changed].join(' ')
      }),
    )
    return states.join('\n')
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

/** Writes the file of a guest atomically. Resolves to its path. */
export async function writeGuestFile(configPath: string, name: string, text: string): Promise<string> {
  const folder = join(dirname(configPath), guestFolderName)
  await makeFolder(folder)
  const path = join(folder, `${name}.yaml`)
  await writeAtomically(path, text)
  return path
}
