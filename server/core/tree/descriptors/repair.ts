import type { Description } from '../description.ts'
import { type Ini, type IniSection, parseIni } from './ini.ts'
import { createNotes, decodeText } from './text.ts'

/** The text that is served in place of a `.treeinfo`, and the reasons. */
export interface RepairedTreeinfo {
  readonly text: string
  readonly why: readonly string[]
}

/**
 * Rewrites a `.treeinfo` that some client cannot read, and keeps everything in it that can be kept. Undefined
 * when all clients can read it as it is. What clients cannot read, as seen with virt-install 4.1 (Python's
 * ConfigParser with interpolation, strict) and libosinfo 1.10 (GKeyFile):
 *
 * - a byte order mark, text that is not UTF-8, a line that is neither key nor section: the whole file is
 *   refused;
 * - a section or key a second time: refused; here the last one wins, as GKeyFile has it;
 * - a bare `%`: refused as soon as the value is read;
 * - a path of an image or a second stage that begins with `/`: looked for outside of the tree;
 * - no `[general] family`: refused.
 *
 * @param concluded What we concluded of the tree, for a missing `[general]`.
 */
export function repairTreeinfo(
  bytes: Uint8Array,
  concluded: Pick<Description, 'family' | 'version' | 'arch' | 'variant'>,
): RepairedTreeinfo | undefined {
  const notes = createNotes('.treeinfo')
  const ini = parseIni(decodeText(bytes, notes), notes)
  const sections = [...ini.sections.values()].map((section) => repairSection(section))
  const lacking = lackingGeneral(ini, concluded)
  const why = [
    ...notes.list().map(({ message, line }) => (line === undefined ? message : `line ${line}: ${message}`)),
    ...sections.flatMap((section) => section.why),
    ...(lacking.length === 0 ? [] : [`[general] lacks ${lacking.map(([key]) => key).join(', ')}`]),
  ]
  if (why.length === 0) return undefined
  const general = sections.find(({ name }) => name === 'general')
  if (general) general.lines.push(...lacking)
  else sections.unshift({ name: 'general', lines: lacking, why: [] })
  return { text: sections.map(sectionText).join('\n'), why }
}

interface RepairedSection {
  readonly name: string
  readonly lines: [string, string][]
  readonly why: string[]
}

function repairSection(section: IniSection): RepairedSection {
  const lines = new Map<string, [string, string]>()
  const why: string[] = []
  const note = (line: number, message: string) => why.push(`line ${line}: ${message}`)
  for (const { key, value, line } of section.entries.values()) {
    const repaired = repairValue(section.name, value)
    if (repaired !== value) note(line, `${key} of [${section.name}] is ${JSON.stringify(value)}`)
    // To ConfigParser, keys that differ only in case are the same key.
    const folded = key.toLowerCase()
    if (lines.has(folded)) note(line, `${key} of [${section.name}] is repeated in another case`)
    lines.set(folded, [key, repaired])
  }
  return { name: section.name, lines: [...lines.values()], why }
}

/**
 * ConfigParser reads `%%` as one `%`. A bare `%` is left out, because readers disagree on what it means. A
 * path that begins with `/` loses that, and quotes around it.
 */
function repairValue(section: string, value: string): string {
  const text = value.replace(/%%|%/g, (found) => (found === '%%' ? found : ''))
  const isPath = /^images-/i.test(section) || section.toLowerCase() === 'stage2'
  return isPath ? text.replace(/^["']?\/+(.*?)["']?$/, '$1') : text
}

/** The lines to add to `[general]`: none when it names a family, which is all that clients insist on. */
function lackingGeneral(ini: Ini, concluded: Pick<Description, 'family' | 'version' | 'arch' | 'variant'>) {
  if (ini.entry('general', 'family')?.value) return []
  const wanted: [string, string][] = [['family', oneLine(concluded.family) || 'unknown']]
  for (const key of ['version', 'arch', 'variant'] as const)
    if (ini.entry('general', key) === undefined && concluded[key] !== '')
      wanted.push([key, oneLine(concluded[key])])
  return wanted
}

function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f%]+/g, ' ').trim()
}

function sectionText({ name, lines }: RepairedSection): string {
  // Both parsers read indented lines as the rest of a value.
  const text = lines.map(([key, value]) => `${key} = ${value.replaceAll('\n', '\n    ')}\n`).join('')
  return `[${name}]\n${text}`
}
