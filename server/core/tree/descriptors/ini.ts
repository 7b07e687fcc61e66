import { excerpt, type Notes, splitLines, unquote } from './text.ts'

/** The INI dialect of `.treeinfo`. */

/** A key with its value. */
export interface IniEntry {
  readonly key: string
  /** Without blanks around it; with newlines between the lines of a continued value. */
  readonly value: string
  readonly line: number
}

/** A section, merged from all that have its name. */
export interface IniSection {
  readonly name: string
  readonly line: number
  /** In order of first appearance. */
  readonly entries: ReadonlyMap<string, IniEntry>
}

export interface Ini {
  readonly sections: ReadonlyMap<string, IniSection>
  /**
   * The entry with exactly this key, or else with the key in another case. Python lower-cases keys, GKeyFile
   * does not. `key` must be in lower case.
   */
  entry(section: string, key: string): IniEntry | undefined
}

/**
 * Reads an INI file like the two parsers of the clients where they agree, and leniently where one of them
 * fails. Python's ConfigParser (virtinst, anaconda) and GLib's GKeyFile (libosinfo) both let the last of
 * several equal keys win (ConfigParser only with `strict=False`; virtinst's fails) and merge equal sections.
 *
 * - `=` and `:` both end a key, whichever comes first (ConfigParser).
 * - Lines beginning with `#` or `;` are comments. There are no comments after a value.
 * - A deeper indented line continues the value above it (ConfigParser), unless it holds a `=`: then it is a
 *   key of its own (GKeyFile), because a value that continues with `x = y` has not been seen, and an indented
 *   key has.
 * - Any other line is noted and skipped, and so is a key before the first section.
 */
export function parseIni(text: string, notes: Notes): Ini {
  const state: IniState = { sections: new Map(), section: undefined, last: undefined, notes }
  splitLines(text).forEach((raw, at) => {
    const content = raw.trim()
    if (content === '' || content[0] === '#' || content[0] === ';') return
    const line = { content, indent: raw.length - raw.trimStart().length, number: at + 1 }
    const header = /^\[(.+)\]/.exec(content)?.[1]
    if (continueValue(state, line)) return
    if (header === undefined) readEntry(state, line)
    else openSection(state, header.trim(), line.number)
  })
  return { sections: state.sections, entry: entryFinder(state.sections) }
}

interface OpenSection extends IniSection {
  readonly entries: Map<string, IniEntry>
}

interface IniState {
  readonly sections: Map<string, OpenSection>
  section: OpenSection | undefined
  /** The last key that began a line of its own, and how deep it was indented. */
  last: { readonly key: string; readonly indent: number } | undefined
  readonly notes: Notes
}

interface IniLine {
  /** Without blanks around it. */
  readonly content: string
  readonly indent: number
  readonly number: number
}

/** Adds a deeper indented line to the value above it; false when the line is something else. */
function continueValue({ section, last }: IniState, { content, indent }: IniLine): boolean {
  if (!section || !last || indent <= last.indent || content.includes('=') || content[0] === '[') return false
  const above = section.entries.get(last.key)
  if (!above) return false
  const value = above.value === '' ? content : `${above.value}\n${content}`
  section.entries.set(last.key, { ...above, value })
  return true
}

function openSection(state: IniState, name: string, line: number): void {
  const existing = state.sections.get(name)
  if (existing) state.notes.add(`section [${name}] is repeated, first in line ${existing.line}; merged`, line)
  state.section = existing ?? { name, line, entries: new Map() }
  state.sections.set(name, state.section)
  state.last = undefined
}

function readEntry(state: IniState, { content, indent, number: line }: IniLine): void {
  const { section, last, notes } = state
  const end = content.search(/[=:]/)
  if (end <= 0) {
    notes.add(`expected "key = value", found ${excerpt(content)}`, line)
    return
  }
  if (!section) {
    notes.add(`${excerpt(content)} is before the first [section]; skipped`, line)
    return
  }
  const key = content.slice(0, end).trimEnd()
  const value = content.slice(end + 1).trim()
  noteRepetition(section, { key, value, line }, notes)
  if (last && indent > last.indent)
    notes.add(`${excerpt(key)} is indented; Python takes it for a part of the value above`, line)
  else state.last = { key, indent }
  section.entries.set(key, { key, value, line })
}

function noteRepetition(section: OpenSection, { key, value, line }: IniEntry, notes: Notes): void {
  const earlier = section.entries.get(key)
  if (!earlier) return
  const repeated = `${excerpt(key)} is repeated in [${section.name}]`
  if (earlier.value === value) notes.add(`${repeated}, same as line ${earlier.line}`, line)
  else notes.add(`${repeated}, first in line ${earlier.line}; this one wins`, line)
}

/**
 * Finds entries by exact names, or else in another case: of sections the first, of keys the last. A hostile file
 * has 100,000 sections and asks for each of them, so names in lower case are collected once.
 */
function entryFinder(sections: ReadonlyMap<string, IniSection>): Ini['entry'] {
  let loweredSections: Map<string, IniSection> | undefined
  const loweredEntries = new Map<IniSection, ReadonlyMap<string, IniEntry>>()
  const sectionOf = (name: string): IniSection | undefined => {
    loweredSections ??= new Map(
      [...sections.values()].reverse().map((each) => [each.name.toLowerCase(), each]),
    )
    return sections.get(name) ?? loweredSections.get(name.toLowerCase())
  }
  return (name, key) => {
    const section = sectionOf(name)
    const exact = section?.entries.get(key)
    if (exact || !section) return exact
    const lowered =
      loweredEntries.get(section) ??
      new Map([...section.entries.values()].map((each) => [each.key.toLowerCase(), each]))
    loweredEntries.set(section, lowered)
    return lowered.get(key)
  }
}

/** The value of an entry on one line, without quotes around it; '' when there is no entry. */
export function textOf(entry: IniEntry | undefined): string {
  return entry ? unquote(entry.value.replace(/\s+/g, ' ')) : ''
}

/** The items of `x86_64,xen`, with spaces or line breaks as they come. */
export function listOf(entry: IniEntry | undefined): string[] {
  return (entry?.value ?? '').split(/[,\s]+/).filter((part) => part !== '')
}

export function numberOf(entry: IniEntry | undefined): number | undefined {
  const number = entry === undefined || entry.value === '' ? Number.NaN : Number(entry.value)
  return Number.isFinite(number) ? number : undefined
}
