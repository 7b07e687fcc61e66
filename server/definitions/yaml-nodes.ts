import { type CST, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap, type YAMLSeq } from 'yaml'

/**
 * Where the parts of a YAML text stand, from what the yaml package keeps of it with `keepSourceTokens`. All places are
 * offsets in the text.
 */

export type MapNode = YAMLMap<Node, Node | null>
export type PairNode = Pair<Node, Node | null>

/** A value of a mapping or a list, and what stands before it. */
export interface Slot {
  readonly node: Node | null
  /** Behind the `:` or `-`. */
  readonly from: number
  /** Where the value begins, with its anchor and tag. */
  readonly start: number
  /** Column of the key or dash; a value below it is indented deeper. Undefined in `{...}` and `[...]`. */
  readonly column: number | undefined
  readonly isItem: boolean
}

export function rangeOf(node: Node): { readonly start: number; readonly end: number } {
  const [start, end] = node.range ?? [0, 0]
  return { start, end }
}

/** Whether nothing is written for a value, which is null then. */
export function isUnwritten(node: Node | null): node is null {
  return !node || (isScalar(node) && rangeOf(node).start === rangeOf(node).end)
}

/** Whether a value is written below its key, or as a text below `|` or `>`. */
export function isBlock(text: string, node: Node): boolean {
  if (isMap(node) || isSeq(node)) return !node.flow
  return isScalar(node) && /^[|>]/.test(text.slice(rangeOf(node).start, rangeOf(node).end))
}

/** Behind the last character of a value, without a comment behind it. A text below `|` ends behind its last line. */
export function contentEnd(node: Node): number {
  if (isSeq(node) || isMap(node)) {
    const last = node.items.at(-1) as Node | PairNode | undefined
    if (node.flow || !last) return rangeOf(node).end
    return isMap(node) ? pairEnd(last as PairNode) : contentEnd(last as Node)
  }
  return rangeOf(node).end
}

export function pairEnd(pair: PairNode): number {
  return isUnwritten(pair.value) ? (colonEnd(pair) ?? rangeOf(pair.key).end) : contentEnd(pair.value)
}

/** Where a pair begins: at its key, or at the `?`, anchor or tag before it. */
export function pairStart(pair: PairNode): number {
  const first = tokensOf(pair).start.find(({ type }) => ['explicit-key-ind', 'anchor', 'tag'].includes(type))
  return first?.offset ?? rangeOf(pair.key).start
}

/** The key as `readYaml` gives it. Keys that are not scalars are faults there. */
export function keyOf({ key }: PairNode): string {
  if (!isScalar(key)) return ''
  const { value, source } = key
  return typeof value === 'string' ? value : String(source ?? value)
}

export function startOfLine(text: string, offset: number): number {
  const start = text.lastIndexOf('\n', offset - 1) + 1
  return start === 0 && text.startsWith('\uFEFF') ? 1 : start
}

export function columnOf(text: string, offset: number): number {
  return offset - startOfLine(text, offset)
}

export function pairSlot(text: string, map: MapNode, pair: PairNode): Slot {
  const from = colonEnd(pair) ?? rangeOf(pair.key).end
  const column = map.flow ? undefined : columnOf(text, pairStart(pair))
  return {
    node: pair.value,
    from,
    start: valueStart(tokensOf(pair).sep, pair.value, from),
    column,
    isItem: false,
  }
}

export function itemSlot(text: string, list: YAMLSeq, at: number): Slot {
  const node = list.items[at] as Node
  const source = list.srcToken as CST.BlockSequence | CST.FlowCollection | undefined
  const before = (source?.items[at]?.start ?? []) as readonly CST.SourceToken[]
  const dash = before.find(({ type }) => type === 'seq-item-ind')
  const from = dash ? dash.offset + 1 : rangeOf(node).start
  const column = dash ? columnOf(text, dash.offset) : undefined
  return { node, from, start: valueStart(before, node, from), column, isItem: true }
}

function valueStart(before: readonly CST.SourceToken[], node: Node | null, from: number): number {
  const properties = before.find(({ type }) => type === 'anchor' || type === 'tag')
  return properties?.offset ?? (node ? rangeOf(node).start : from)
}

function tokensOf({ srcToken }: PairNode): {
  readonly start: readonly CST.SourceToken[]
  readonly sep: readonly CST.SourceToken[]
} {
  const { start = [], sep = [] } = (srcToken ?? {}) as Partial<CST.CollectionItem>
  return { start, sep: sep ?? [] }
}

function colonEnd(pair: PairNode): number | undefined {
  const colon = tokensOf(pair).sep.find(({ type }) => type === 'map-value-ind')
  return colon && colon.offset + 1
}
