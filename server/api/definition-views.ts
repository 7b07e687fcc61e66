import { stringify } from 'yaml'
import type { z } from 'zod'
import { isMapping, readYaml, type YamlMapping, type YamlValue } from '../config/yaml.ts'
import { lineIn, type Settings, type Sourced } from '../core/guest/guest.ts'
import type { Definition, DefinitionChange } from '../definitions/definitions.ts'
import { lineDifference } from '../definitions/line-difference.ts'
import { starredDefinition, withoutSecrets } from '../definitions/secrets.ts'
import type * as schemas from './schemas/definitions.ts'

/** Definitions as the API shows them: no secret is in them. */

export function definitionView({
  name,
  where,
  etag,
  readOnly,
  data,
  text,
}: Definition): z.input<typeof schemas.definition> {
  // A text that cannot be read may hold a secret anywhere.
  const isOpen = data !== undefined && withoutSecrets(data).left === 0
  return {
    name,
    where,
    etag: etag ?? null,
    readOnly: readOnly ?? null,
    data: shownData(data),
    text: isOpen ? (text ?? null) : null,
  }
}

export function shownData(data: YamlMapping | undefined): YamlMapping | null {
  return data === undefined ? null : starredDefinition(data)
}

export function changeView(
  name: string,
  { where, before, after, etag }: DefinitionChange,
  isDryRun: boolean,
): z.input<typeof schemas.change> {
  return {
    name,
    where,
    etag: etag ?? null,
    changed: before !== after && !isDryRun,
    // Of the data: a text may hold a secret in a form that is not found there.
    difference: lineDifference(starredText(before), starredText(after)),
  }
}

function starredText(text: string | undefined): string {
  const data = starredData(text)
  return data === undefined ? '' : stringify(data)
}

/** The data of a text, with secrets starred; undefined where it is no mapping. */
export function starredData(text: string | undefined): YamlMapping | undefined {
  const data = text === undefined ? undefined : readYaml(text.replace(/^\uFEFF/, '')).value
  return isMapping(data) ? starredDefinition(data) : undefined
}

/** Each value of the settings with the place where it was said, with secrets starred. */
export function settingViews(settings: Settings): z.input<typeof schemas.setting>[] {
  const { args, removals = [], vars, virt, network = {}, ...plain } = settings
  const open = starredDefinition(
    JSON.parse(JSON.stringify({ args: args.map(({ value }) => value), vars: mapped(vars) })),
  )
  const shownArgs = [open.args ?? []].flat() as YamlValue[]
  const shownVars = isMapping(open.vars) ? open.vars : {}
  return [
    ...named(plain),
    ...args.map(({ from }, index) => view('args', shownArgs[index] ?? null, from)),
    ...removals.map(({ value, from }) => view('args', value, from)),
    ...Object.entries(vars).map(([key, { from }]) => view(`vars.${key}`, shownVars[key] ?? null, from)),
    ...named(virt, 'virt.'),
    ...named(network, 'network.'),
  ]
}

function mapped(values: Readonly<Record<string, Sourced<unknown>>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([key, sourced]) => [key, sourced.value]))
}

function named(values: object, before = ''): z.input<typeof schemas.setting>[] {
  return Object.entries(values as Record<string, Sourced<unknown> | undefined>).flatMap(([key, sourced]) =>
    sourced === undefined
      ? []
      : [view(`${before}${key}`, JSON.parse(JSON.stringify(sourced.value)), sourced.from)],
  )
}

function view(key: string, value: YamlValue, from: string): z.input<typeof schemas.setting> {
  return { key, value, from: lineIn(from) }
}
