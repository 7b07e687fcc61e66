import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The blocks of README and docs, and what a test does with each. */

const repository = join(import.meta.dirname, '../..')

/**
 * `run`: here. `clients`: by the tests of real clients. `shown`: text to look at. `not run`: a command that no test can
 * run. `file`: a file of a language, which has tests of its own.
 */
export type BlockKind = 'run' | 'clients' | 'shown' | 'not run' | 'file'

export interface DocumentBlock {
  /** `README.md:33` */
  readonly where: string
  readonly kind: BlockKind
  /** Of a fenced block: `yaml`, `sh`, or ''. */
  readonly language: string
  /** What the marker before the block says of it. */
  readonly note: string
  readonly lines: readonly string[]
}

export function documentNames(): string[] {
  const docs = readdirSync(join(repository, 'docs')).filter((name) => name.endsWith('.md'))
  return ['README.md', 'CONTRIBUTING.md', 'trees/README.md', ...docs.map((name) => `docs/${name}`)]
}

export function documentText(name: string): string {
  return readFileSync(join(repository, name), 'utf8')
}

/** `<!-- not run: reason -->`, `<!-- run by: clients -->` or `<!-- shown: what -->`, on the line before the block. */
const markerForm = /^ *<!-- (not run|run by|shown): (.+) -->$/
const fenceForm = /^( *)```(\w*)/

export function blocksOf(name: string): DocumentBlock[] {
  const lines = documentText(name).split('\n')
  const blocks: DocumentBlock[] = []
  let marker: RegExpExecArray | null = null
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const fence = fenceForm.exec(line)
    const isIndented = /^ {4}\S/.test(line) && lines[at - 1] === ''
    if (!fence && !isIndented) {
      if (line !== '') marker = markerForm.exec(line)
      continue
    }
    const [from, to] = fence ? [at + 1, endOfFence(lines, at)] : [at, endOfIndented(lines, at)]
    const indent = fence ? (fence[1] ?? '').length : 4
    const language = fence?.[2] ?? ''
    const text = lines.slice(from, to).map((each) => each.slice(indent))
    blocks.push({ where: `${name}:${from + 1}`, language, lines: text, ...kindOf(marker, language) })
    marker = null
    at = to
  }
  return blocks
}

function kindOf(marker: RegExpExecArray | null, language: string): Pick<DocumentBlock, 'kind' | 'note'> {
  const [, word = '', note = ''] = marker ?? []
  if (word === 'not run' || word === 'shown') return { kind: word, note }
  if (word === 'run by') return { kind: 'clients', note }
  return { kind: language === '' || language === 'sh' ? 'run' : 'file', note }
}

function endOfFence(lines: readonly string[], at: number): number {
  const end = lines.findIndex((line, index) => index > at && /^ *```$/.test(line))
  return end < 0 ? lines.length : end
}

function endOfIndented(lines: readonly string[], at: number): number {
  const end = lines.findIndex((line, index) => index > at && line !== '' && !line.startsWith('    '))
  return end < 0 ? lines.length : end
}

/** The commands of a block: lines that end in a backslash are joined, and comments and empty lines left out. */
export function commandsOf({ lines }: DocumentBlock): string[] {
  return lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/\s+#\s.*$/, '').trim())
    .filter((line) => line !== '')
}

/** The words of a command as a shell splits it. It knows the two kinds of quotes, which is all that our pages use. */
export function wordsOf(command: string): string[] {
  return [...command.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) =>
    word.replaceAll(/"([^"]*)"|'([^']*)'/g, '$1$2'),
  )
}

/** The commands of treeboot that a text names in backticks, as `where` and the words after `treeboot`. */
export function namedCommands(name: string): { readonly where: string; readonly words: readonly string[] }[] {
  return documentText(name)
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(/`(?:npx )?treeboot ([^`]+)`/g)].map((match) => ({
        where: `${name}:${index + 1}`,
        words: wordsOf(match[1] ?? ''),
      })),
    )
}
