import { groupBy } from '../core/group-by.ts'
import { type DefinitionFile, type DefinitionKind, definitionKinds } from './definition-files.ts'
import { definitionName, guestSchema } from './file-schema.ts'
import { type ProblemList, showValue } from './problems.ts'
import { isMapping, type YamlMapping, type YamlText } from './yaml.ts'

/**
 * How a definition file takes part: `present`, as it is on the disk; `kept`, with its last good text; `refused`, when
 * there is no such text. Of a refused guest only the identities are read, so that its machine is told why.
 */
export interface Layer {
  readonly file: DefinitionFile
  readonly use: 'present' | 'kept' | 'refused'
  /** Whether the text in `file` differs from the last good one. */
  readonly isChanged: boolean
  /** Why it is refused: its first mistake. */
  readonly why?: string
}

/** How texts are parsed, and where what is wrong with them goes. */
interface Reading {
  readonly problems: ProblemList
  readonly read: (text: string) => YamlText
}

/** The configuration with the definitions of all files. */
export interface WithDefinitions {
  readonly yaml: YamlText
  /** Section and name -> the layer that the entry is from, such as `guests web02`. */
  readonly layers: ReadonlyMap<string, Layer>
  /** Names of refused definitions -> why, for each kind. */
  readonly refused: Readonly<Record<DefinitionKind, ReadonlyMap<string, string>>>
}

export function entryKey(section: string, name: string): string {
  return `${section} ${name}`
}

/**
 * Adds each definition file to the configuration, as an entry of its section. Positions in such an entry name its
 * file. An entry of config.yaml itself wins over a file of that name.
 */
export function withDefinitions(
  main: YamlText,
  layers: readonly Layer[],
  { problems, read }: Reading,
): WithDefinitions {
  const refused = { guest: new Map<string, string>(), profile: new Map(), mirror: new Map() }
  const root = main.value ?? Object.create(null)
  if (!isMapping(root)) return { yaml: main, layers: new Map(), refused }
  const added = new Map<string, { layer: Layer; yaml: YamlText }>()
  for (const [key, all] of byEntry(layers)) {
    const [{ file }] = all as [Layer]
    const { section } = definitionKinds[file.kind]
    const entries = root[section] ?? Object.create(null)
    if (!isMapping(entries)) continue
    root[section] = entries
    if (Object.hasOwn(entries, file.name)) {
      warnOfConfig(all, main.position([section, file.name], 'key').line, problems)
      continue
    }
    const chosen = oneOf(all, problems)
    if (chosen.use === 'refused') refused[file.kind].set(file.name, chosen.why ?? 'it is wrong')
    const yaml = readDefinition(chosen, { problems, read })
    if (!yaml) continue
    entries[file.name] = yaml.value ?? Object.create(null)
    added.set(key, { layer: chosen, yaml })
  }
  return {
    layers: new Map([...added].map(([key, { layer }]) => [key, layer])),
    refused,
    yaml: {
      value: root,
      faults: main.faults,
      position(path, part) {
        const own = added.get(entryKey(String(path[0]), String(path[1])))
        return own
          ? { ...own.yaml.position(path.slice(2), part), file: own.layer.file.shownName }
          : main.position(path, part)
      },
    },
  }
}

/** The layers of each entry: mostly one. */
function byEntry(layers: readonly Layer[]): ReadonlyMap<string, readonly Layer[]> {
  return groupBy(layers, ({ file }) => [entryKey(definitionKinds[file.kind].section, file.name)])
}

function warnOfConfig(layers: readonly Layer[], line: number, problems: ProblemList): void {
  for (const { file } of layers)
    problems.add(
      'warning',
      { line: 1, column: 1, file: file.shownName },
      `${file.kind} ${file.name} is already defined in line ${line} of the configuration, which counts; this file does not`,
      'remove one of the two',
    )
}

/**
 * The file that counts of those of one name, such as `w.yaml` and `w.yml`: the one that did so before. Of several new
 * ones none is right.
 */
function oneOf(layers: readonly Layer[], problems: ProblemList): Layer {
  const usable = layers.filter(({ use }) => use !== 'refused')
  const first = (usable[0] ?? layers[0]) as Layer
  if (usable.length < 2) return first
  const before = usable.filter(({ isChanged }) => !isChanged)
  const counts = before.length > 0 ? before[0] : undefined
  for (const layer of usable) {
    if (layer === counts) continue
    const other = counts ?? (layer === first ? usable[1] : first)
    problems.add(
      'error',
      { line: 1, column: 1, file: layer.file.shownName },
      `${layer.file.kind} ${layer.file.name} is already defined in ${other?.file.shownName}`,
      'remove one of the two',
    )
  }
  return counts ?? first
}

/** Parses a definition file. Undefined when it cannot be used; the reasons are added to `problems`. */
function readDefinition(layer: Layer, { problems, read }: Reading): YamlText | undefined {
  const { kind, name, shownName, text, whyNot } = layer.file
  const start = { line: 1, column: 1, file: shownName }
  if (layer.use === 'refused')
    return kind === 'guest' && definitionName.safeParse(name).success
      ? identitiesIn(read(withoutMark(text ?? '')))
      : undefined
  if (text === undefined) {
    problems.add('error', start, whyNot ?? 'cannot be read')
    return undefined
  }
  const yaml = read(withoutMark(text))
  for (const { message, ...at } of yaml.faults) problems.add('error', { ...at, file: shownName }, message)
  if (yaml.faults.length > 0) return undefined
  if (yaml.value === null || isMapping(yaml.value)) return yaml
  const expected = `expected the settings of ${kind} ${name}: ${definitionKinds[kind].example}`
  problems.add('error', start, `found ${showValue(yaml.value)}, ${expected}`)
  return undefined
}

/** By what a machine is known to be a guest. */
const identityKeys = ['mac', 'uuid', 'serial', 'ip'] as const

/** The identities of a refused guest, as far as they are right. Undefined when there is none. */
function identitiesIn(yaml: YamlText): YamlText | undefined {
  if (yaml.faults.length > 0 || yaml.value === null || !isMapping(yaml.value)) return undefined
  const value: YamlMapping = Object.create(null)
  for (const key of identityKeys) {
    const written = yaml.value[key]
    if (written !== undefined && written !== null && guestSchema.safeParse({ [key]: written }).success)
      value[key] = written
  }
  return Object.keys(value).length === 0 ? undefined : { ...yaml, value }
}

/** Without the mark that some editors write at the beginning of a text. */
function withoutMark(text: string): string {
  return text.replace(/^\uFEFF/, '')
}
