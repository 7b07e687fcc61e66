import { defined } from '../core/defined.ts'
import type { Alternative, Selector } from '../core/guest/selectors.ts'
import { isPlaceholderSerial, isPlaceholderUuid } from '../core/net/uuid.ts'
import type { ProfileInFile } from './file-schema.ts'
import { type ProblemList, showPath } from './problems.ts'
import type { AlternativeInFile } from './selector-schema.ts'
import type { YamlText } from './yaml.ts'

interface View {
  readonly text: YamlText
  readonly problems: ProblemList
}

/** How a profile selects unknown machines; undefined for one that selects none. Heirs of it do not: `match` is its own. */
export function selectorOf(
  { match, auto }: ProfileInFile,
  name: string,
  view: View,
): Pick<Selector, 'auto' | 'alternatives'> | undefined {
  const path = ['profiles', name]
  if (!match || match.length === 0) {
    if (auto === undefined) return undefined
    const at = view.text.position([...path, 'auto'], 'key')
    view.problems.add(
      'warning',
      at,
      `${showPath([...path, 'auto'])}: it does nothing without match`,
      'say which unknown machines get this profile: match: { mac-prefix: 52:54:00 }',
    )
    return undefined
  }
  for (const [i, each] of match.entries()) warnOfPlaceholders(each, [...path, 'match', i], view)
  return { auto: auto ?? 'menu', alternatives: match.map(alternativeOf) }
}

function alternativeOf({ 'mac-prefix': macPrefix, ...others }: AlternativeInFile): Alternative {
  return defined({ ...others, macPrefix })
}

function warnOfPlaceholders(
  { uuid, serial }: AlternativeInFile,
  path: readonly (string | number)[],
  view: View,
): void {
  const warn = (key: string, value: string) =>
    view.problems.add(
      'warning',
      view.text.position([...path, key], 'value'),
      `${showPath([...path, key])}: '${value}' is a placeholder that many machines share, and matches none`,
      'name the machines by mac-prefix',
    )
  if (uuid !== undefined && isPlaceholderUuid(uuid)) warn('uuid', uuid)
  if (serial !== undefined && isPlaceholderSerial(serial)) warn('serial', serial)
}
