import type { DefinitionFile } from '../config/definition-files.ts'
import { loadConfigFile } from '../config/last-good.ts'
import type { LoadedConfig } from '../config/load.ts'
import { type ConfigPlace, readConfigTexts } from '../config/texts.ts'
import { readYaml } from '../config/yaml.ts'
import { dataOf } from './present.ts'
import { type Named, type Reference, referencesTo } from './references.ts'

/**
 * Who names a profile, a template or a tree. A file that cannot be read counts by its last good text, which is in force; it is
 * there without `file`, because no program can change it.
 */
export async function usersOf(place: ConfigPlace, named: Named, name: string): Promise<Reference[]> {
  const texts = await readConfigTexts(place)
  const found = referencesTo(texts, named, name)
  const unreadable = texts.files.filter(({ text }) => text === undefined || !dataOf(readYaml(text)))
  if (unreadable.length === 0) return found
  const loaded = await loadConfigFile(place)
  const byLastGood = unreadable.filter((file) => namesInForce(loaded, file, named).includes(name))
  return [
    ...found,
    ...byLastGood.map(({ kind, name: user, shownName }) => ({ kind, name: user, where: shownName })),
  ]
}

function namesInForce({ guests, profiles }: LoadedConfig, file: DefinitionFile, named: Named): string[] {
  const user = file.kind === 'guest' ? guests.find(({ name }) => name === file.name) : profiles.get(file.name)
  if (!user) return []
  const tree = user.settings.tree?.value
  if (named === 'tree') return tree && 'id' in tree ? [tree.id] : []
  if (named === 'template') return [user.settings.template?.value ?? []].flat()
  return [...('inherits' in user ? user.inherits : user.profiles)]
}
