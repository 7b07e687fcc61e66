import type { Repository } from '../description.ts'
import { type Ini, listOf } from './ini.ts'
import { repositoryPath } from './paths.ts'
import type { Notes } from './text.ts'

/**
 * The repositories of a tree, the one to install from first. From 0.3 on every `[variant-*]` and `[addon-*]`
 * may name one. Older trees name their only one as `[general] repository`; in the oldest, only the checksum
 * of a `repodata/repomd.xml` shows where it is. EL 8 and 9 name siblings on a mirror
 * (`../../../AppStream/x86_64/os`) and folders on a DVD.
 */
export function readRepositories(ini: Ini, variant: string, notes: Notes): Repository[] {
  const found: Repository[] = []
  for (const section of ini.sections.values()) {
    const repository = ofSection(ini, section.name)
    if (repository) found.push(repository)
  }
  noteMissingVariants(ini, notes)
  if (found.length === 0) found.push(...ofOldTree(ini, variant))
  return found.sort((a, b) => rank(a, variant) - rank(b, variant))
}

/** The lower, the better to install from. */
function rank({ id, path, kind }: Repository, variant: string): number {
  if (id === variant) return 0
  if (path === '.') return 1
  return kind === 'variant' ? 2 : 3
}

function ofSection(ini: Ini, section: string): Repository | undefined {
  const match = /^(variant|addon)-(.+)$/i.exec(section)
  if (!match) return undefined
  const value = (key: string) => ini.entry(section, key)?.value ?? ''
  const path = value('repository')
  if (path === '') return undefined
  // The uid of an add-on also names its parent: `Server-HighAvailability`.
  const id = value('uid') || value('id') || (match[2] ?? '')
  return {
    id,
    name: value('name') || id,
    kind: kindOf(value('type') || (match[1] ?? '')),
    path: repositoryPath(path),
  }
}

function kindOf(type: string): Repository['kind'] {
  const lower = type.toLowerCase()
  return lower === 'optional' || lower === 'addon' || lower === 'module' ? lower : 'variant'
}

function noteMissingVariants(ini: Ini, notes: Notes): void {
  const entry = ini.entry('tree', 'variants') ?? ini.entry('general', 'variants')
  for (const id of listOf(entry))
    if (!ini.sections.has(`variant-${id}`) && !ini.sections.has(`addon-${id}`))
      notes.add(`variant ${id} is listed, but there is no [variant-${id}]`, entry?.line)
}

function ofOldTree(ini: Ini, variant: string): Repository[] {
  const repository = ini.entry('general', 'repository')?.value
  if (repository)
    return [{ id: variant, name: variant, kind: 'repository', path: repositoryPath(repository) }]
  const paths = [...(ini.sections.get('checksums')?.entries.keys() ?? [])]
    .filter((path) => /(^|\/)repodata\/repomd\.xml$/.test(path))
    .map((path) => repositoryPath(path.replace(/repodata\/repomd\.xml$/, '')))
  return paths.map((path) => ({
    id: path === '.' ? variant : path,
    name: path === '.' ? variant : path,
    kind: 'repository',
    path,
  }))
}
