import { createHash } from 'node:crypto'
import { type DefinitionKind, definitionKinds } from '../config/definition-files.ts'
import { definitionName, mirrorId } from '../config/file-schema.ts'
import { isMapping, readYaml, type YamlMapping, type YamlText } from '../config/yaml.ts'
import { Failure } from '../core/failure.ts'
import type { Definition } from './definitions.ts'

/** Characters of a wrong name that a message repeats for programs. */
const longestFound = 100

export function requireName(kind: DefinitionKind, name: string): void {
  const form = kind === 'mirror' ? mirrorId : definitionName
  const { error } = form.safeParse(name)
  const expected = error?.issues[0]?.message
  if (expected === undefined) return
  throw new Failure('bad-request', `${name}: expected ${expected}`, {
    details: [{ field: 'name', found: name.slice(0, longestFound), expected }],
  })
}

/** The definitions of a kind that stand in config.yaml itself. */
export function entriesOf(kind: DefinitionKind, shownName: string, text = ''): Definition[] {
  const { section } = definitionKinds[kind]
  const yaml = readYaml(text.replace(/^\uFEFF/, ''))
  const entries = isMapping(yaml.value) ? yaml.value[section] : undefined
  if (!isMapping(entries)) return []
  return Object.entries(entries).map(([name, value]) => {
    const where = `${shownName}:${yaml.position([section, name], 'key').line}`
    const readOnly = `${kind} ${name} stands in ${where}, which only a person changes`
    return { kind, name, where, data: isMapping(value) ? value : {}, readOnly }
  })
}

/** Undefined when a text is no mapping that can be read. */
export function dataOf({ value, faults }: YamlText): YamlMapping | undefined {
  if (faults.length > 0) return undefined
  if (value === null) return {}
  return isMapping(value) ? value : undefined
}

export function digestOf(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function etagOf(bytes: Uint8Array | string): string {
  return `"${digestOf(bytes)}"`
}

export function changedMeanwhile(where: string): Failure {
  return new Failure('conflict', `${where} was changed by somebody else meanwhile; read it again`)
}
