import { defined } from '../core/defined.ts'
import { defaultAutoLimit, narrowerText, whyTooWide } from '../core/guest/auto-guest.ts'
import type { Profile } from '../core/guest/guest.ts'
import { type Alternative, selectorLine } from '../core/guest/selectors.ts'
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
  { match, auto, 'auto-limit': autoLimit }: ProfileInFile,
  name: string,
  view: View,
): Profile['selector'] {
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
  return { auto: auto ?? 'menu', alternatives: match.map(alternativeOf), ...defined({ autoLimit }) }
}

/**
 * What a profile with `auto: install` must have, and what it does: nobody may erase the disks of strangers without having
 * read it. It is told after each change, and by each check.
 */
export function checkInstalling({ name, selector, settings }: Profile, view: View): void {
  if (selector?.auto !== 'install') return
  const path = ['profiles', name]
  const at = (...below: (string | number)[]) => view.text.position([...path, ...below], 'key')
  for (const key of ['tree', 'template'] as const)
    if (settings[key] === undefined)
      view.problems.add(
        'error',
        at('auto'),
        `${showPath([...path, 'auto'])}: install needs a ${key}, and the profile has none`,
        `give it or a profile that it inherits a "${key}:"`,
      )
  const wide = selector.alternatives.map(whyTooWide).find((why) => why !== undefined)
  if (wide !== undefined)
    view.problems.add('error', at('match'), `${showPath([...path, 'match'])}: ${wide}`, narrowerText)
  const { autoLimit = defaultAutoLimit } = selector
  view.problems.add(
    'warning',
    at('auto'),
    `profile ${name} ERASES THE DISK of each machine that asks for a network boot, is no guest, and shows ${selectorLine(selector)}: it becomes a guest and is installed, at most ${autoLimit} within an hour`,
    'auto: menu asks first',
  )
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
