import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Failure } from '../core/failure.ts'
import { writeAtomically } from '../host/atomic-write.ts'
import { type ProblemList, showValue, whyUnreadable } from './problems.ts'
import { readYaml, type YamlMapping, type YamlText, type YamlValue } from './yaml.ts'

/**
 * `guests.d/<name>.yaml` beside config.yaml: one guest each, the file holding what would stand below its name in
 * `guests:`. The place for guests that a program adds; config.yaml is a person's, with its comments and its order.
 */
export interface GuestFile {
  /** The guest's. */
  readonly name: string
  /** As messages call it: `guests.d/web02.yaml`. */
  readonly shown: string
  readonly text: string
}

export const guestFolderName = 'guests.d'

/** One guest's file is a few lines; more than this is no such file. */
const maxBytes = 2 ** 20

const fileForm = /^(?<name>[^.].*)\.ya?ml$/

/** Every guest file beside a config.yaml, by name. No folder is no guests. */
export async function readGuestFiles(configPath: string): Promise<readonly GuestFile[]> {
  const folder = join(dirname(configPath), guestFolderName)
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new Failure('invalid-data', `${folder}: ${whyUnreadable(error)}`)
  })
  const files: GuestFile[] = []
  for (const file of names.sort()) {
    const name = fileForm.exec(file)?.groups?.name
    if (name !== undefined)
      files.push({ name, shown: `${guestFolderName}/${file}`, text: await readText(join(folder, file)) })
  }
  return files
}

async function readText(path: string): Promise<string> {
  const shown = `${guestFolderName}/${basename(path)}`
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new Failure('invalid-data', `${shown}: ${whyUnreadable(error)}`, { cause: error })
  })
  if (bytes.length > maxBytes)
    throw new Failure('invalid-data', `${shown}: ${bytes.length} bytes; at most ${maxBytes}`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Failure('invalid-data', `${shown}: is not UTF-8 text; save it as UTF-8`, { cause })
  }
}

/** The configuration as if every guest file stood below `guests:`; positions tell which file they are in. */
export function withGuestFiles(main: YamlText, files: readonly GuestFile[], problems: ProblemList): YamlText {
  const root = main.value ?? Object.create(null)
  if (files.length === 0 || !isMapping(root)) return main
  const guests = root.guests ?? Object.create(null)
  if (!isMapping(guests)) return main
  root.guests = guests
  const added = new Map<string, { yaml: YamlText; shown: string }>()
  for (const { name, shown, text } of files) {
    const yaml = readYaml(text.replace(/^\uFEFF/, ''))
    for (const { message, ...at } of yaml.faults) problems.add('error', { ...at, file: shown }, message)
    // Nothing refers to a guest, so the others can be judged without this one.
    if (yaml.faults.length > 0) continue
    const earlier = added.get(name)?.shown
    if (Object.hasOwn(guests, name)) {
      const at = main.position(['guests', name], 'key')
      const where = earlier ?? `line ${at.line} of the configuration`
      const remedy = 'take one of the two away'
      problems.add(
        'error',
        { line: 1, column: 1, file: shown },
        `guest ${name} stands at ${where} already`,
        remedy,
      )
    } else if (yaml.value !== null && !isMapping(yaml.value)) {
      const found = `found ${showValue(yaml.value)}, expected the settings of guest ${name}: "mac: ...", "profile: ..."`
      problems.add('error', { line: 1, column: 1, file: shown }, found)
    } else {
      guests[name] = yaml.value
      added.set(name, { yaml, shown })
    }
  }
  return {
    value: root,
    faults: main.faults,
    position(path, part) {
      const own = path[0] === 'guests' ? added.get(String(path[1])) : undefined
      return own ? { ...own.yaml.position(path.slice(2), part), file: own.shown } : main.position(path, part)
    },
  }
}

function isMapping(value: YamlValue): value is YamlMapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Differs whenever a guest file came, went, or (when `closely`) was edited in place. One stat, or one for each file. */
export async function guestFilesState(configPath: string, closely: boolean): Promise<string> {
  const folder = join(dirname(configPath), guestFolderName)
  try {
    const { ino, mtimeNs, ctimeNs } = await stat(folder, { bigint: true })
    if (!closely) return [ino, mtimeNs, ctimeNs].join(' ')
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

/** Writes a guest's file so that a reader sees all of it or none. Resolves to its path. */
export async function writeGuestFile(configPath: string, name: string, text: string): Promise<string> {
  const folder = join(dirname(configPath), guestFolderName)
  await mkdir(folder, { recursive: true })
  const path = join(folder, `${name}.yaml`)
  await writeAtomically(path, text)
  return path
}
