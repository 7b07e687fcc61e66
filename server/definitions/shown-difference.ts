import { stringify } from 'yaml'
import { isMapping, readYaml, type YamlMapping } from '../config/yaml.ts'
import { starred, starredParts } from '../core/access/starred.ts'
import { lineDifference } from './line-difference.ts'
import { starredDefinition } from './secrets.ts'

/**
 * What a change of a definition changed, for a response, a terminal or a log. Of the texts where both may be shown; else of their
 * data, with secrets starred: a comment or a part of a line may hold one, too.
 */
export function shownDifference(before: string | undefined, after: string | undefined): string {
  const mayShow = [before, after].every((text) => text === undefined || isOpen(text, dataOf(text)))
  if (mayShow) return lineDifference(before ?? '', after ?? '')
  return lineDifference(starredText(before), starredText(after))
}

/** The same of a template, in which only the form of a text tells that it is a secret. */
export function shownTemplateDifference(before = '', after = ''): string {
  return starredParts(lineDifference(before, after))
}

/** Whether a text with this data may be shown. One that cannot be read may hold a secret anywhere, and so may a comment. */
export function isOpen(text: string, data: YamlMapping | undefined): boolean {
  return data !== undefined && hasNoSecret(data) && starred(text) === text
}

/** The data of a text, with secrets starred; undefined where it is no mapping. */
export function starredData(text: string | undefined): YamlMapping | undefined {
  const data = dataOf(text)
  return data && starredDefinition(data)
}

export function starredText(text: string | undefined): string {
  const data = starredData(text)
  return data === undefined ? '' : stringify(data)
}

export function dataOf(text: string | undefined): YamlMapping | undefined {
  const data = text === undefined ? undefined : readYaml(text.replace(/^\uFEFF/, '')).value
  return isMapping(data) ? data : undefined
}

function hasNoSecret(data: YamlMapping): boolean {
  return JSON.stringify(starredDefinition(data)) === JSON.stringify(data)
}
