import type { z } from 'zod'
import { isMapping, type YamlMapping, type YamlValue } from '../config/yaml.ts'
import { lineIn, type Settings, type Sourced } from '../core/guest/guest.ts'
import type { Definition, DefinitionChange, MovedDefinition } from '../definitions/definitions.ts'
import { lineDifference } from '../definitions/line-difference.ts'
import { starredDefinition } from '../definitions/secrets.ts'
import { dataOf, isOpen, shownDifference, starredText } from '../definitions/shown-difference.ts'
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
  return {
    name,
    where,
    etag: etag ?? null,
    readOnly: readOnly ?? null,
    data: shownData(data),
    text: text !== undefined && isOpen(text, data) ? text : null,
  }
}

export function shownData(data: YamlMapping | undefined): YamlMapping | null {
  return data === undefined ? null : starredDefinition(data)
}

export function changeView(
  name: string,
  { where, before, after, etag }: DefinitionChange,
  isDryRun: boolean,
): Omit<z.input<typeof schemas.setChange>, 'others'> {
  return {
    name,
    where,
    etag: etag ?? null,
    changed: before !== after && !isDryRun,
    difference: shownDifference(before, after),
  }
}

/** A change that was only tried. */
export function triedView(name: string, changed: MadeOrTried): z.input<typeof schemas.setChange> {
  return { ...changeView(name, changed, true), others: othersView(changed.others ?? []) }
}

type MadeOrTried = DefinitionChange & { readonly others?: readonly DefinitionChange[] }

/** What a change did to other definitions. */
export function othersView(others: readonly DefinitionChange[]): z.input<typeof schemas.setChange>['others'] {
  return others.map(({ where, before, after }) => ({
    where,
    difference: lineDifference(starredText(before), starredText(after)),
  }))
}

/** The lines that are to be deleted from config.yaml; without their text where the definition has secrets. */
export function movedView(
  name: string,
  { toDelete, ...made }: MovedDefinition,
  isDryRun: boolean,
): z.input<typeof schemas.moved> {
  const { file, first, last, text, becomes } = toDelete
  const mayShow = isOpen(text, dataOf(made.after))
  const shown = { text: mayShow ? text : null, becomes: mayShow || becomes === '' ? becomes : null }
  return { ...changeView(name, made, isDryRun), delete: { file, first, last, ...shown } }
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
    ...removals.map(({ value, from }) => view('args', starredDefinition({ args: value }).args ?? null, from)),
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
