import { isMap, isSeq, type Node, parseDocument, type YAMLSeq } from 'yaml'
import { isMapping, readYaml, type YamlMapping, type YamlValue } from '../config/yaml.ts'
import { Failure } from '../core/failure.ts'
import {
  columnOf,
  contentEnd,
  isBlock,
  isUnwritten,
  itemSlot,
  keyOf,
  type MapNode,
  type PairNode,
  pairEnd,
  pairSlot,
  pairStart,
  rangeOf,
  type Slot,
  startOfLine,
} from './yaml-nodes.ts'
import { blockYaml, inlineYaml, isFilled, type LongTexts, sameYaml } from './yaml-values.ts'

/**
 * Makes the mapping of a YAML text equal to `wanted`, and leaves every byte that need not change as it was: comments,
 * the order of keys, quotes, indentation, blank lines, ends of lines. `Document.toString` of the yaml package keeps
 * comments, but writes all the rest in its own style.
 *
 * A comment goes only with the value that it stands in or behind. A comment on a line of its own stays, also when the
 * key below it is removed: only its author knows what it is about.
 *
 * @throws Failure `invalid-data` when the text is not a mapping that can be read.
 * @throws Failure `unsupported` when the change cannot be made without touching something else, as with a value that an
 *   alias repeats elsewhere. Then a person has to edit the file.
 */
export function changeYaml(text: string, wanted: YamlMapping): string {
  const present = mappingOf(text)
  if (sameYaml(present, wanted)) return text
  const { contents } = parseDocument(text, { keepSourceTokens: true, uniqueKeys: false, logLevel: 'silent' })
  // A text below `|` would take in what follows it, if that is a comment with an indentation: then it gets quotes.
  for (const longTexts of ['below', 'quoted'] as const) {
    const editor = new YamlEditor(text, longTexts)
    if (isMap(contents)) editor.changeMap(contents as MapNode, present, wanted)
    else editor.appendToEnd(wanted)
    const changed = editor.result()
    if (readsAs(changed, wanted)) return changed
  }
  throw new Failure(
    'unsupported',
    'this change would touch other values of the file too, as with an anchor that is used twice; edit the file by hand',
  )
}

function mappingOf(text: string): YamlMapping {
  const { value, faults } = readYaml(text)
  const [fault] = faults
  if (fault) throw new Failure('invalid-data', `line ${fault.line}: ${fault.message}`)
  if (value === null) return {}
  if (!isMapping(value)) throw new Failure('invalid-data', 'the file is not a mapping of keys to values')
  return value
}

function readsAs(text: string, wanted: YamlMapping): boolean {
  const { value, faults } = readYaml(text)
  return faults.length === 0 && sameYaml(value ?? {}, wanted)
}

/** Text that takes the place of a part, at offsets of the text as it was. */
interface Splice {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Collects changes to a text. */
class YamlEditor {
  readonly #text: string
  readonly #lineEnd: string
  readonly #longTexts: LongTexts
  readonly #splices: Splice[] = []

  constructor(text: string, longTexts: LongTexts) {
    this.#text = text
    this.#longTexts = longTexts
    this.#lineEnd = text.includes('\r\n') ? '\r\n' : '\n'
  }

  result(): string {
    const parts: string[] = []
    let at = 0
    for (const { start, end, text } of this.#splices.sort((a, b) => a.start - b.start || a.end - b.end)) {
      parts.push(this.#text.slice(at, start), text)
      at = Math.max(at, end)
    }
    return `${parts.join('')}${this.#text.slice(at)}`
  }

  /** For a text that has comments at most. */
  appendToEnd(mapping: YamlMapping): void {
    this.#addLines(this.#text.length, this.#block(mapping, 0))
  }

  changeMap(map: MapNode, present: YamlMapping, wanted: YamlMapping): void {
    const keepsSome = map.items.some((pair) => Object.hasOwn(wanted, keyOf(pair)))
    // In `{...}` a new pair follows a comma, which needs one before it.
    if (map.flow && !keepsSome) {
      this.#splice(rangeOf(map).start, rangeOf(map).end, inlineYaml(wanted, { inFlow: true }))
      return
    }
    for (const pair of map.items) {
      const name = keyOf(pair)
      const value = Object.hasOwn(wanted, name) ? wanted[name] : undefined
      if (value === undefined) this.#removePair(map, pair)
      else this.#changeSlot(pairSlot(this.#text, map, pair), present[name], value)
    }
    const added = Object.entries(wanted).filter(([name]) => !Object.hasOwn(present, name))
    if (added.length > 0) this.#addPairs(map, Object.fromEntries(added))
  }

  #changeSlot(slot: Slot, present: YamlValue | undefined, wanted: YamlValue): void {
    const { node } = slot
    if (sameYaml(present, wanted)) return
    if (isMap(node) && isMapping(present) && isFilled(present) && isMapping(wanted) && isFilled(wanted))
      this.changeMap(node as MapNode, present, wanted)
    else if (
      isSeq(node) &&
      Array.isArray(present) &&
      Array.isArray(wanted) &&
      present.length === wanted.length
    )
      for (const [i, value] of wanted.entries())
        this.#changeSlot(itemSlot(this.#text, node, i), present[i], value)
    else if (isSeq(node) && !node.flow && Array.isArray(present) && Array.isArray(wanted))
      this.#changeLength(slot, node, present, wanted)
    else this.#replace(slot, wanted)
  }

  /** Items that stay keep their lines; new ones come at the end. */
  #changeLength(slot: Slot, list: YAMLSeq, present: readonly YamlValue[], wanted: YamlValue[]): void {
    let kept = 0
    const removed: Node[] = []
    for (const [i, item] of list.items.entries()) {
      if (kept < wanted.length && sameYaml(present[i], wanted[kept])) kept++
      else removed.push(item as Node)
    }
    if (kept === 0) {
      this.#replace(slot, wanted)
      return
    }
    for (const item of removed) this.#removeLines(rangeOf(item).start, contentEnd(item))
    const column = columnOf(this.#text, rangeOf(list).start)
    if (kept < wanted.length) this.#addLines(contentEnd(list), this.#block(wanted.slice(kept), column))
  }

  /** Writes a value in the place of another, on its line where that is possible. */
  #replace({ node, from, start, column, isItem }: Slot, wanted: YamlValue): void {
    const inFlow = column === undefined
    const below = !inFlow && !isItem && isFilled(wanted) ? this.#block(wanted, column + 2) : undefined
    if (isUnwritten(node)) {
      if (below === undefined) this.#splice(from, from, ` ${inlineYaml(wanted, { inFlow })}`)
      else this.#addLines(from, below)
      return
    }
    const end = contentEnd(node)
    const inline = inlineYaml(wanted, { inFlow, replaced: node })
    const wasBlock = isBlock(this.#text, node)
    // A text below `|` ends behind the end of its last line, which what replaces it needs as well.
    const lineEnd = wasBlock && this.#text[end - 1] === '\n' ? this.#lineEnd : ''
    const rest = this.#text.slice(end, this.#endOfLine(end))
    const blanks = wasBlock ? 0 : (/^[ \t]*/.exec(rest)?.[0].length ?? 0)
    if (below !== undefined && (wasBlock || rest.trim() === ''))
      this.#splice(from, end + blanks, `${this.#lineEnd}${below}${lineEnd}`)
    else if (wasBlock) this.#splice(from, end, ` ${inline}${lineEnd}`)
    else this.#splice(start, end, inline)
  }

  #addPairs(map: MapNode, added: YamlMapping): void {
    const first = map.items[0] as PairNode
    const last = map.items.at(-1) as PairNode
    if (!map.flow) this.#addLines(pairEnd(last), this.#block(added, columnOf(this.#text, pairStart(first))))
    else this.#splice(pairEnd(last), pairEnd(last), `, ${inlineYaml(added, { inFlow: true }).slice(2, -2)}`)
  }

  #removePair(map: MapNode, pair: PairNode): void {
    const at = map.items.indexOf(pair)
    const start = pairStart(pair)
    const [previous, next] = [map.items[at - 1], map.items[at + 1]]
    const isFirstOnLine = this.#text.slice(startOfLine(this.#text, start), start).trim() === ''
    if (!map.flow && isFirstOnLine) this.#removeLines(start, pairEnd(pair))
    else if (next) this.#splice(start, pairStart(next), '')
    else this.#splice(previous ? pairEnd(previous) : start, pairEnd(pair), '')
  }

  /** Removes whole lines, from the one of `start` to the one in which the content ends. */
  #removeLines(start: number, end: number): void {
    this.#splice(startOfLine(this.#text, start), this.#startOfNextLine(end), '')
  }

  /** Adds lines below the line in which some content ends. */
  #addLines(end: number, lines: string): void {
    const at = this.#startOfNextLine(end)
    const isInLine = at > 0 && !['\n', '\uFEFF'].includes(this.#text[at - 1] ?? '')
    this.#splice(at, at, `${isInLine ? this.#lineEnd : ''}${lines}${this.#lineEnd}`)
  }

  /** A value in block style, indented by so many spaces; without an end of the last line. */
  #block(value: YamlValue, column: number): string {
    const lines = blockYaml(value, this.#longTexts).replace(/\n$/, '').split('\n')
    return lines.map((line) => (line === '' ? line : `${' '.repeat(column)}${line}`)).join(this.#lineEnd)
  }

  #endOfLine(offset: number): number {
    const end = this.#text.indexOf('\n', offset)
    return end < 0 ? this.#text.length : end
  }

  /** The start of the line below some content. A text below `|` ends there already. */
  #startOfNextLine(end: number): number {
    return this.#text[end - 1] === '\n' ? end : Math.min(this.#text.length, this.#endOfLine(end) + 1)
  }

  #splice(start: number, end: number, text: string): void {
    this.#splices.push({ start, end, text })
  }
}
