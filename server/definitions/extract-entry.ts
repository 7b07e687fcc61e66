import { isMap, isScalar, type Node, parseDocument } from 'yaml'
import { isMapping, readYaml, type YamlMapping, type YamlValue } from '../config/yaml.ts'
import { Failure } from '../core/failure.ts'
import { changeYaml } from './change-yaml.ts'
import {
  columnOf,
  isUnwritten,
  keyOf,
  type MapNode,
  type PairNode,
  pairEnd,
  pairSlot,
  pairStart,
  rangeOf,
  startOfLine,
} from './yaml-nodes.ts'
import { sameYaml } from './yaml-values.ts'

/** Lines of config.yaml that a person is to delete. */
export interface LinesToDelete {
  /** Both from 1, and both to be deleted. */
  readonly first: number
  readonly last: number
  /** As they are now, with the end of the last line. */
  readonly text: string
  /** What stands in their place afterwards; '' where nothing does. In `{...}` an entry has no lines of its own. */
  readonly becomes: string
}

/** An entry of config.yaml as a file of its own. */
export interface ExtractedEntry {
  readonly text: string
  readonly lines: LinesToDelete
}

/**
 * Takes an entry such as a guest out of the text of a config.yaml, as it is written there, with the comments in it, behind
 * its name and directly above it. An entry that repeats other parts of the text (`*alias`) is written out.
 *
 * @throws Failure `not-found` when there is no such entry.
 * @throws Failure `unsupported` when other parts of the text repeat a part of the entry, or when it cannot be read.
 */
export function extractEntry(config: string, section: string, name: string): ExtractedEntry {
  const all = readYaml(config).value
  const entries = isMapping(all) ? all[section] : undefined
  const data = isMapping(entries) && Object.hasOwn(entries, name) ? entries[name] : undefined
  if (!isMapping(all) || !isMapping(entries) || data === undefined)
    throw new Failure('not-found', `there is no ${name} in ${section}`)
  const { [name]: _, ...others } = entries
  const rest: YamlMapping = { ...all, [section]: others }
  const { map, pair } = pairOf(config, section, name)
  const cut = map && pair && !map.flow ? blockLines(config, pair) : undefined
  const after = cut ? config.slice(0, cut.start) + config.slice(cut.end) : withoutEntry(config, rest)
  if (after === undefined || !isSameConfig(after, rest, section))
    throw new Failure(
      'unsupported',
      `other parts of the file repeat a part of ${section}.${name}; move it by hand`,
    )
  const written = map && pair ? textOf(config, pair, map, cut) : undefined
  const text = written !== undefined && isSame(written, data) ? written : changeYaml('', mapping(data))
  return { text, lines: cut ? cutLines(config, cut) : changedLines(config, after) }
}

function pairOf(config: string, section: string, name: string): { map?: MapNode; pair?: PairNode } {
  const { contents } = parseDocument(config, {
    keepSourceTokens: true,
    uniqueKeys: false,
    logLevel: 'silent',
  })
  const found = isMap(contents)
    ? (contents as MapNode).items.find((each) => keyOf(each) === section)
    : undefined
  const map = found && isMap(found.value) ? (found.value as MapNode) : undefined
  const pair = map?.items.find((each) => keyOf(each) === name)
  return map && pair ? { map, pair } : {}
}

/** Whole lines, as offsets: the comment above the name, the entry, and the comments below that are indented deeper. */
interface Cut {
  readonly start: number
  readonly keyLine: number
  readonly end: number
}

function blockLines(config: string, pair: PairNode): Cut | undefined {
  const keyLine = startOfLine(config, pairStart(pair))
  const column = columnOf(config, pairStart(pair))
  if (config.slice(keyLine, pairStart(pair)).trim() !== '') return undefined
  let start = keyLine
  while (start > 0) {
    const above = startOfLine(config, start - 1)
    const line = config.slice(above, start)
    if (!line.trimStart().startsWith('#') || indentOf(line) !== column) break
    start = above
  }
  const last = pairEnd(pair)
  // A text below `|` ends at the start of a line already.
  let end = config[last - 1] === '\n' ? last : nextLine(config, last)
  for (let at = end; at < config.length; ) {
    const line = config.slice(at, nextLine(config, at))
    const isComment = line.trimStart().startsWith('#') && indentOf(line) > column
    if (!isComment && line.trim() !== '') break
    at += line.length
    if (isComment) end = at
  }
  return { start, keyLine, end }
}

function nextLine(text: string, offset: number): number {
  const end = text.indexOf('\n', offset)
  return end < 0 ? text.length : end + 1
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length
}

/** The entry as a text of its own. Undefined for an alias. */
function textOf(config: string, pair: PairNode, map: MapNode, cut: Cut | undefined): string | undefined {
  const { value } = pair
  const { from, start } = pairSlot(config, map, pair)
  const above = cut ? dedent(config.slice(cut.start, cut.keyLine)) : ''
  if (isUnwritten(value) || (isScalar(value) && value.value === null))
    return `${above}${cut ? commentIn(config.slice(from, cut.end)) : ''}`
  if (!isMap(value)) return undefined
  const behind = cut ? config.slice(rangeOf(value).end, cut.end) : ''
  if (value.flow) return `${above}${config.slice(rangeOf(value).start, rangeOf(value).end)}${behind || '\n'}`
  if (!cut) return undefined
  const firstLine = nextLine(config, from)
  return `${above}${commentIn(config.slice(from, Math.min(firstLine, start)))}${dedent(config.slice(firstLine, cut.end), columnIn(config, value))}`
}

function columnIn(config: string, value: Node): number {
  return columnOf(config, rangeOf(value).start)
}

/** The comments of a part without values. */
function commentIn(part: string): string {
  return part
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('#'))
    .map((line) => `${line}\n`)
    .join('')
}

/** Lines with so many spaces less before each. */
function dedent(lines: string, spaces = Number.POSITIVE_INFINITY): string {
  const cut = (line: string): string => line.slice(Math.min(spaces, /^ */.exec(line)?.[0].length ?? 0))
  return lines.split('\n').map(cut).join('\n')
}

function withoutEntry(config: string, rest: YamlMapping): string | undefined {
  try {
    return changeYaml(config, rest)
  } catch (error) {
    if (error instanceof Failure) return undefined
    throw error
  }
}

/** A section without entries may be there or not. */
function isSameConfig(text: string, wanted: YamlMapping, section: string): boolean {
  const { value, faults } = readYaml(text)
  if (faults.length > 0 || (value !== null && !isMapping(value))) return false
  return sameYaml({ ...value, [section]: value?.[section] ?? {} }, wanted)
}

function isSame(text: string, data: YamlValue): boolean {
  const { value, faults } = readYaml(text)
  return faults.length === 0 && sameYaml(value ?? {}, mapping(data))
}

function mapping(data: YamlValue): YamlMapping {
  if (data === null) return {}
  if (isMapping(data)) return data
  throw new Failure('unsupported', 'the entry is not a mapping of keys to values; correct it first')
}

function cutLines(config: string, { start, end }: Cut): LinesToDelete {
  const first = linesOf(config.slice(0, start)).length + 1
  const text = config.slice(start, end)
  return { first, last: first + linesOf(text).length - 1, text, becomes: '' }
}

function changedLines(before: string, after: string): LinesToDelete {
  const [a, b] = [linesOf(before), linesOf(after)]
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++
  const text = a.slice(start, a.length - end).join('')
  return {
    first: start + 1,
    last: a.length - end,
    text,
    becomes: b.slice(start, b.length - end).join(''),
  }
}

function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? []
}
