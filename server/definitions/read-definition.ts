import { join } from 'node:path'
import type { DefinitionFile } from '../config/definition-files.ts'
import { readYaml } from '../config/yaml.ts'
import { defined } from '../core/defined.ts'
import { configurationLimits } from '../core/limits/configuration.ts'
import { readFileAtMost } from '../host/read-at-most.ts'
import type { Definition } from './definitions.ts'
import { dataOf, etagOf } from './present.ts'
import { ReadOnlyReasons } from './read-only.ts'
import { textOf } from './yaml-values.ts'

/**
 * The definition in a file, whether it is right or not.
 *
 * @param base The folder of config.yaml.
 * @param reasons Of this folder; one for many files.
 */
export async function readDefinition(
  base: string,
  { kind, name, shownName, whyNot }: DefinitionFile,
  reasons = new ReadOnlyReasons(base),
): Promise<Definition> {
  if (whyNot !== undefined) return { kind, name, where: shownName, readOnly: `${shownName} ${whyNot}` }
  const bytes = await readFileAtMost(join(base, shownName), configurationLimits.definitionFile.bytes)
  const readOnly = await reasons.of(shownName)
  const about = { kind, name, where: shownName, ...defined({ readOnly }) }
  if (!bytes) return about
  const text = textOf(bytes)
  const data = text === undefined ? undefined : dataOf(readYaml(text.replace(/^\uFEFF/, '')))
  return { ...about, etag: etagOf(bytes), ...defined({ text, data }) }
}
