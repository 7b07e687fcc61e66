import fc from 'fast-check'

/**
 * YAML files in the styles that people write: block and flow, any indentation, comments everywhere, each kind of
 * quotes, texts below `|` and `>`, DOS line ends, document marks, explicit keys, blank lines, no end of the last line.
 */
export interface StyledFile {
  readonly text: string
  /** One value of the file, by its keys, and the bytes before and behind what is written for it. */
  readonly path: readonly string[]
  readonly before: string
  readonly after: string
}

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/)
const scalar = fc.oneof(
  word,
  fc.integer({ min: 0, max: 999 }).map(String),
  word.map((each) => `'${each} it''s'`),
  word.map((each) => `"${each}\\n\\u00e4 # no comment"`),
  fc.constantFrom(
    'true',
    '~',
    '9.10',
    '012',
    '!!str 5',
    '"a: b"',
    "'{'",
    'x#y',
    'a:b',
    '-1',
    '"☃"',
    '[a, "b"]',
    '{ k: v }',
  ),
)
const comment = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  fc.stringMatching(/^[a-z:'"[{-]{0,12}$/).map((each) => ` # ${each}`),
  fc.constant('   \t# tab'),
  fc.constant('  '),
)
const between = fc.array(fc.constantFrom('', '# a line: of comment', '    # indented', '  '), {
  maxLength: 2,
})
const keyStyle = fc.constantFrom(
  (key: string) => `${key}:`,
  (key: string) => `"${key}":`,
  (key: string) => `'${key}' :`,
)

/** A line or several of a mapping, with the value that will change between two marks, if it is here. */
type Lines = readonly string[]
const mark = '\u0001'

function pairOf(key: string, inMark: boolean): fc.Arbitrary<Lines> {
  if (inMark)
    return fc
      .tuple(keyStyle, scalar, comment, fc.constantFrom(' ', '   '))
      .map(([style, value, end, space]) => [`${style(key)}${space}${mark}${value}${mark}${end}`])
  const single = fc
    .tuple(keyStyle, scalar, comment)
    .map(([style, value, end]) => [`${style(key)} ${value}${end}`])
  const list = fc
    .tuple(
      fc.array(fc.tuple(scalar, comment), { minLength: 1, maxLength: 3 }),
      fc.constantFrom('', '  ', '    '),
    )
    .map(([items, indent]) => [`${key}:`, ...items.map(([value, end]) => `${indent}- ${value}${end}`)])
  const below = fc
    .tuple(
      fc.constantFrom('|', '|-', '|+', '>', '>-'),
      fc.array(word, { minLength: 1, maxLength: 3 }),
      comment,
    )
    .map(([style, lines, end]) => [
      `${key}: ${style}${end.trimEnd()}`,
      ...lines.map((line) => `   ${line} # text`),
    ])
  const items = fc
    .tuple(scalar, scalar, comment)
    .map(([a, b, end]) => [
      `${key}:`,
      `  - name: ${a}${end}`,
      `    id: ${b}`,
      '  # between',
      `  - name: ${b}`,
    ])
  const explicit = scalar.map((value) => [`? ${key}`, `: ${value}`])
  const none = comment.map((end) => [`${key}:${end}`])
  return fc.oneof(single, list, below, items, explicit, none)
}

/** Pairs one below the other, with comments and blank lines between. */
function pairsOf(keys: readonly string[], markedKey: string | undefined): fc.Arbitrary<Lines> {
  return fc
    .tuple(...keys.map((key) => fc.tuple(between, pairOf(key, key === markedKey))))
    .map((pairs) => pairs.flatMap(([above, lines]) => [...above, ...lines]))
}

const keys = fc.uniqueArray(word, { minLength: 2, maxLength: 5 })

export const styledFile: fc.Arbitrary<StyledFile> = fc
  .record({
    keys,
    inner: keys,
    at: fc.nat(),
    depth: fc.boolean(),
    indent: fc.constantFrom(1, 2, 3, 4, 8),
    lineEnd: fc.constantFrom('\n', '\n', '\r\n'),
    head: fc.constantFrom('', '---\n', '# first\n\n', '%YAML 1.2\n---\n', '\uFEFF'),
    tail: fc.constantFrom('', '# last\n', '\n\n', '...\n'),
    ends: fc.boolean(),
  })
  .chain(({ keys: outer, inner, at, depth, indent, lineEnd, head, tail, ends }) => {
    const parent = outer[at % outer.length] as string
    const child = inner[at % inner.length] as string
    const others = outer.filter((key) => key !== parent)
    const nested = pairsOf(inner, depth ? child : undefined).map((lines) => [
      `${parent}:`,
      ...lines.map((line) => (line === '' ? line : `${' '.repeat(indent)}${line}`)),
    ])
    const marked = depth ? nested : pairsOf([parent], parent)
    return fc
      .tuple(pairsOf(others.slice(0, 1), undefined), marked, pairsOf(others.slice(1), undefined))
      .map(([first, middle, last]) => {
        const body = [...first, ...middle, ...last].join('\n')
        const all = `${head}${body}${tail === '' && !ends ? '' : `\n${tail}`}`.replaceAll('\n', lineEnd)
        const [before = '', , after = ''] = all.split(mark)
        return { text: all.replaceAll(mark, ''), path: depth ? [parent, child] : [parent], before, after }
      })
  })
