import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from 'yaml'
import { configurationLimits } from '../core/limits/configuration.ts'
import { explainYamlError } from './yaml-error.ts'

export type YamlValue = string | number | boolean | null | YamlValue[] | YamlMapping
export interface YamlMapping {
  [key: string]: YamlValue
}

export function isMapping(value: YamlValue | undefined): value is YamlMapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The steps from the root to a value: keys of mappings and indices of lists. */
export type YamlPath = readonly (string | number)[]

/** A place in a text. Line and column both begin at 1, as in editors. */
export interface TextPosition {
  readonly line: number
  readonly column: number
  /** Set when the position is in another file than the main one. */
  readonly file?: string
}

/** Why a text cannot be read, and the place. */
export interface YamlFault extends TextPosition {
  readonly message: string
}

/** A text that was parsed: its data, and the place of each value. */
export interface YamlText {
  /** Plain data without prototypes. Null for an empty text. */
  readonly value: YamlValue
  readonly faults: readonly YamlFault[]
  /**
   * The position of the value at a path, or of the key of that value. When the path does not exist, the
   * position of its deepest part that exists.
   */
  position(path: YamlPath, part: 'key' | 'value'): TextPosition
}

/**
 * How many nodes aliases may add. A few dozen lines of nested aliases could add billions ("billion laughs").
 */
const maxAliasedNodes = configurationLimits.yaml.entries
/**
 * How deep values may be nested: yaml 2.9 and this reader use recursion. config.yaml needs six levels, and a
 * few more in vars.
 */
const maxDepth = configurationLimits.yaml.depth

/** How many errors are explained. One mistake can cause thousands, and each explanation reads the file. */
const maxSyntaxErrors = 20

/** Where a key and its value begin: offsets in the text. */
interface Mark {
  readonly key: number
  readonly value: number
}

/**
 * The marks of the children of each list and mapping of the data. `document.getIn` cannot replace them: it
 * does not follow aliases, compares keys as numbers (`9.10` is 9.1), and searches a mapping of 100,000 guests
 * each time.
 */
type Marks = WeakMap<object, ReadonlyMap<string | number, Mark>>

/**
 * Parses YAML 1.2 into plain data, and keeps the position of each value.
 *
 * A number stays a number only if its text is exactly how that number is printed. Any other number (`9.10`,
 * `012`, `1e3`, a serial number of 20 digits) stays the text that was written. So version 9.10 does not
 * become 9.1, and the MAC address 001122334455 does not become a decimal number.
 */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter()
  const marks: Marks = new WeakMap()
  const reader = new NodeReader(marks)
  let value: YamlValue = null
  try {
    // `uniqueKeys` of the package takes quadratic time. #readMap finds keys that are written twice.
    const options = {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error',
    } as const
    const document = parseDocument(text, options)
    for (const error of [...document.errors, ...document.warnings].slice(0, maxSyntaxErrors)) {
      const fault = explainYamlError(error, document, (offset) => lines.linePos(offset).line)
      // One mistake often causes several errors in a line. The first one says most.
      const line = lines.linePos(fault.offset).line
      if (!reader.faults.some((earlier) => lines.linePos(earlier.offset).line === line))
        reader.fault(fault.offset, fault.message)
    }
    if (reader.faults.length === 0) value = reader.read(document, document.contents, 0)
  } catch (error) {
    // Deep nesting overflows the stack of the parser. That is a fault of the file.
    if (!(error instanceof RangeError)) throw error
    reader.fault(0, 'lists or mappings are nested too deeply')
  }
  const place = (offset: number): TextPosition => {
    const { line, col } = lines.linePos(offset)
    // In an empty text the counter knows no line, and gives 0.
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  return {
    value,
    faults: reader.faults.map(({ offset, message }) => ({ ...place(offset), message })),
    position(path, part) {
      let at = 0
      let here: YamlValue | undefined = value
      for (const [depth, step] of path.entries()) {
        const mark = typeof here === 'object' && here !== null ? marks.get(here)?.get(step) : undefined
        if (!mark) break
        at = part === 'key' && depth === path.length - 1 ? mark.key : mark.value
        here = (here as YamlMapping)[step]
      }
      return place(at)
    },
  }
}

/** How much of a key a message shows. */
const longestShown = 100

/** Makes plain data of the parser's nodes, and marks the place of each value. */
class NodeReader {
  readonly faults: { offset: number; message: string }[] = []
  readonly #marks: Marks
  #aliasDepth = 0
  #aliasedNodes = 0

  constructor(marks: Marks) {
    this.#marks = marks
  }

  fault(offset: number, message: string): void {
    this.faults.push({ offset, message })
  }

  read(document: Document.Parsed, node: unknown, depth: number): YamlValue {
    if (depth > maxDepth) throw new RangeError('too deep')
    if (this.#aliasDepth > 0 && ++this.#aliasedNodes > maxAliasedNodes) {
      if (this.#aliasedNodes === maxAliasedNodes + 1)
        this.fault(offsetOf(node), `aliases add more than ${maxAliasedNodes} values; use fewer aliases`)
      return null
    }
    if (isAlias(node)) {
      const target = node.resolve(document)
      if (!target)
        this.fault(
          offsetOf(node),
          'this alias has no anchor before it; put text that begins with * in quotes',
        )
      this.#aliasDepth++
      const value = this.read(document, target ?? null, depth + 1)
      this.#aliasDepth--
      return value
    }
    if (isMap(node)) return this.#readMap(document, node as YAMLMap, depth)
    if (isSeq(node)) {
      const list: YamlValue[] = []
      const marks = new Map<string | number, Mark>()
      for (const [i, item] of node.items.entries()) {
        const at = offsetOf(item, offsetOf(node))
        marks.set(i, { key: at, value: at })
        list.push(this.read(document, item, depth + 1))
      }
      this.#marks.set(list, marks)
      return list
    }
    return isScalar(node) ? scalarValue(node) : null
  }

  #readMap(document: Document.Parsed, node: YAMLMap, depth: number): YamlValue {
    const mapping: YamlMapping = Object.create(null)
    const marks = new Map<string | number, Mark>()
    for (const { key, value } of node.items) {
      const at = offsetOf(key, offsetOf(node))
      const name = isScalar(key) ? scalarValue(key) : undefined
      if (name === null || name === undefined || name === '__proto__') {
        this.fault(at, 'a key must be a plain name')
        continue
      }
      if (marks.has(String(name)))
        this.fault(
          at,
          `'${String(name).slice(0, longestShown)}' is written a second time here; keep one of them`,
        )
      marks.set(String(name), { key: at, value: offsetOf(value, at) })
      mapping[String(name)] = this.read(document, value, depth + 1)
    }
    this.#marks.set(mapping, marks)
    return mapping
  }
}

function offsetOf(node: unknown, defaultOffset = 0): number {
  const range = (node as { range?: [number, number, number] | null } | null | undefined)?.range
  return range?.[0] ?? defaultOffset
}

function scalarValue(node: Scalar): YamlValue {
  const { value, source } = node
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
    case 'bigint':
      return source !== undefined && String(value) !== source ? source : Number(value)
    default:
      // A file may declare YAML 1.1, which has dates. They stay the text that was written.
      return value === null ? null : (source ?? null)
  }
}
