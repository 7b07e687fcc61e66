import { type DefinitionFile, type DefinitionKind, definitionKinds } from '../config/definition-files.ts'
import type { ConfigTexts } from '../config/texts.ts'
import { isMapping, readYaml, type YamlMapping, type YamlText, type YamlValue } from '../config/yaml.ts'
import { defined } from '../core/defined.ts'
import type { DefinitionUser } from './in-use.ts'

/** What definitions name. */
export type Named = 'profile' | 'template' | 'tree'

/** The keys by which definitions name others. Each has one name or a list of them; `tree` may have `{ id: NAME }`. */
const referenceKeys: Readonly<Record<DefinitionKind, Partial<Record<Named, string>>>> = {
  guest: { profile: 'profile', template: 'template', tree: 'tree' },
  profile: { profile: 'inherits', template: 'template', tree: 'tree' },
  mirror: {},
}

/** A place that names a definition. */
export interface Reference extends DefinitionUser {
  readonly kind: DefinitionKind
  /** Undefined in config.yaml. */
  readonly file?: DefinitionFile
}

/**
 * The definitions that name another one, as they are written: also in files that are wrong otherwise, and in those that
 * config.yaml hides. A file that is no YAML names nothing.
 */
export function referencesTo(
  { shownName, text = '', files }: ConfigTexts,
  named: Named,
  name: string,
): Reference[] {
  const config = yamlOf(text)
  const sections = isMapping(config.value) ? config.value : {}
  const inConfig = Object.entries(definitionKinds).flatMap(([kind, { section }]) => {
    const entries = sections[section]
    return Object.entries(isMapping(entries) ? entries : {}).flatMap(([user, data]) =>
      referenceIn(data, { kind: kind as DefinitionKind, named, name }, (path) => ({
        name: user,
        where: `${shownName}:${config.position([section, user, ...path], 'value').line}`,
      })),
    )
  })
  const inFiles = files.flatMap((file) => {
    const yaml = yamlOf(file.text ?? '')
    return referenceIn(yaml.value, { kind: file.kind, named, name }, (path) => ({
      name: file.name,
      where: `${file.shownName}:${yaml.position(path, 'value').line}`,
      file,
    }))
  })
  return [...inConfig, ...inFiles]
}

function yamlOf(text: string): YamlText {
  const yaml = readYaml(text.replace(/^\uFEFF/, ''))
  return yaml.faults.length === 0 ? yaml : { ...yaml, value: null }
}

interface Sought {
  readonly kind: DefinitionKind
  readonly named: Named
  readonly name: string
}

function referenceIn(
  data: YamlValue,
  { kind, named, name }: Sought,
  at: (path: readonly (string | number)[]) => Omit<Reference, 'kind'>,
): Reference[] {
  const key = referenceKeys[kind][named]
  const value = key !== undefined && isMapping(data) && Object.hasOwn(data, key) ? data[key] : undefined
  if (key === undefined || value === undefined) return []
  if (isNameBelowId(value, name)) return [{ kind, ...defined(at([key, 'id'])) } as Reference]
  const index = Array.isArray(value) ? value.findIndex((item) => isName(item, name)) : -1
  if (index < 0 && !isName(value, name)) return []
  return [{ kind, ...defined(at(index < 0 ? [key] : [key, index])) } as Reference]
}

/** A name that looks like a number is one in the data. */
function isName(value: YamlValue, name: string): boolean {
  return (typeof value === 'string' || typeof value === 'number') && String(value) === name
}

function isNameBelowId(value: YamlValue, name: string): boolean {
  return isMapping(value) && value.id !== undefined && isName(value.id, name)
}

/** The data with another name in the place of one. What has the other already gives up the first. */
export function withReference(
  kind: DefinitionKind,
  data: YamlMapping,
  named: Named,
  { from, to }: { readonly from: string; readonly to: string },
): YamlMapping {
  const key = referenceKeys[kind][named]
  const value = key === undefined ? undefined : data[key]
  if (key === undefined || value === undefined) return data
  if (isMapping(value)) return isNameBelowId(value, from) ? { ...data, [key]: { ...value, id: to } } : data
  if (!Array.isArray(value)) return isName(value, from) ? { ...data, [key]: to } : data
  const hasOther = value.some((item) => isName(item, to))
  const items = hasOther
    ? value.filter((item) => !isName(item, from))
    : value.map((item) => (isName(item, from) ? to : item))
  return { ...data, [key]: items }
}
