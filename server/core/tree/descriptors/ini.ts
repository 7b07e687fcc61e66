import type { Notes } from './text.ts'
import { excerpt, splitLines } from './text.ts'

export interface IniEntry {
  readonly key: string
  readonly value: string
  readonly line: number
}

export interface IniSection {
  readonly name: string
  readonly line: number
  /** In order of first appearance. */
  readonly entries: ReadonlyMap<string, IniEntry>
}

export interface Ini {
  readonly sections: ReadonlyMap<string, IniSection>
  /** The entry, by exact spelling or else in any case. Python lower-cases keys, GKeyFile does not. */
  entry(section: string, key: string): IniEntry | undefined
}

/**
 * Reads an INI file as the two parsers that clients use would, where these agree, and kindly where one of them
 * gives up. Python's ConfigParser (virtinst, anaconda) and GLib's GKeyFile (libosinfo) both let the last of several
 * equal keys win (ConfigParser only with `strict=False`; virtinst's dies) and merge equal sections.
 *
 * - `=` and `:` both end a key, whichever comes first (ConfigParser).
 * - Lines beginning with `#` or `;` are comments; nothing after a value is.
 * - A deeper indented line continues the value above it (ConfigParser), unless it holds a `=`: then it is a key of
 *   its own (GKeyFile), because a value that continues with `x = y` has not been seen, and an indented key has.
 * - A line that is nothing of this is noted and skipped. So is a key before the first section.
 */
export function parseIni(text: string, notes: Notes): Ini {
  const sections = new Map<string, { name: string; line: number; entries: Map<string, IniEntry> }>()
  let section: { name: string; line: number; entries: Map<string, IniEntry> } | undefined
  let last: { key: string; indent: number } | undefined

  splitLines(text).forEach((raw, at) => {
    const line = at + 1
    const content = raw.trim()
    if (content === '' || content[0] === '#' || content[0] === ';') return
    const indent = raw.length - raw.trimStart().length

    if (section && last && indent > last.indent && !content.includes('=') && content[0] !== '[') {
      const above = section.entries.get(last.key)
      if (above) {
        const value = above.value === '' ? content : `${above.value}\n${content}`
        section.entries.set(last.key, { ...above, value })
        return
      }
    }

    const header = /^\[(.+)\]/.exec(content)?.[1]
    if (header !== undefined) {
      const name = header.trim()
      const known = sections.get(name)
      if (known) notes.add(`section [${name}] again, first in line ${known.line}; merged`, line)
      section = known ?? { name, line, entries: new Map() }
      sections.set(name, section)
      last = undefined
      return
    }

    const end = content.search(/[=:]/)
    if (end <= 0) {
      notes.add(`expected "key = value", found ${excerpt(content)}`, line)
      return
    }
    if (!section) {
      notes.add(`${excerpt(content)} stands before the first [section]; skipped`, line)
      return
    }
    const key = content.slice(0, end).trimEnd()
    const value = content.slice(end + 1).trim()
    const before = section.entries.get(key)
    if (before && before.value !== value)
      notes.add(
        `${excerpt(key)} again in [${section.name}], first in line ${before.line}; this one wins`,
        line,
      )
    else if (before)
      notes.add(`${excerpt(key)} again in [${section.name}], same as line ${before.line}`, line)
    if (last && indent > last.indent)
      notes.add(`${excerpt(key)} is indented; Python takes it for a part of the value above`, line)
    else last = { key, indent }
    section.entries.set(key, { key, value, line })
  })

  return { sections, entry: (name, key) => findEntry(findSection(sections, name), key) }
}

function findSection(sections: ReadonlyMap<string, IniSection>, name: string): IniSection | undefined {
  const exact = sections.get(name)
  if (exact) return exact
  const lower = name.toLowerCase()
  for (const section of sections.values()) if (section.name.toLowerCase() === lower) return section
  return undefined
}

function findEntry(section: IniSection | undefined, key: string): IniEntry | undefined {
  const exact = section?.entries.get(key)
  if (exact || !section) return exact
  let found: IniEntry | undefined
  for (const entry of section.entries.values()) if (entry.key.toLowerCase() === key) found = entry
  return found
}
