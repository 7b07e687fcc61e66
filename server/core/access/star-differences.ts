const stars = '***'

/** What ends a word to the left and to the right: `--password=WORD`, `"WORD"`, `WORD@host`, `/WORD`. */
const wordEnd = /[\s"'`=:,;@/(){}[\]<>|&]/

/**
 * A text with stars in place of all that is not the same in the others. What is left is in all of them, so it tells nothing
 * of that in which they differ.
 *
 * In a line that has the same length everywhere, the words are starred from the first that differs to the last. Of any
 * other line, all is. Where the texts have not as many lines, all lines are between the first and the last that differ.
 *
 * @param others The same text, made with other secrets.
 */
export function starDifferences(text: string, others: readonly string[]): string {
  const lines = text.split('\n')
  const otherLines = others.map((other) => other.split('\n'))
  if (otherLines.every((each) => each.length === lines.length))
    return lines
      .map((line, i) =>
        starredLine(
          line,
          otherLines.map((each) => each[i] ?? ''),
        ),
      )
      .join('\n')
  const most = Math.min(lines.length, ...otherLines.map((each) => each.length))
  const isSame = (i: number): boolean => otherLines.every((each) => each.at(i) === lines.at(i))
  let start = 0
  while (start < most && isSame(start)) start++
  let end = 0
  while (end < most - start && isSame(-1 - end)) end++
  return lines.map((line, i) => (i < start || i >= lines.length - end ? line : whole(line))).join('\n')
}

function starredLine(line: string, others: readonly string[]): string {
  if (others.every((other) => other === line)) return line
  if (others.some((other) => other.length !== line.length)) return whole(line)
  let first = 0
  while (others.every((other) => other[first] === line[first])) first++
  let last = line.length - 1
  while (others.every((other) => other[last] === line[last])) last--
  // A part of a word may be the same by chance: that of a hash, for example.
  while (first > 0 && !wordEnd.test(line[first - 1] ?? '')) first--
  while (last < line.length - 1 && !wordEnd.test(line[last + 1] ?? '')) last++
  return `${line.slice(0, first)}${stars}${line.slice(last + 1)}`
}

function whole(line: string): string {
  return line.trim() === '' ? line : `${/^\s*/.exec(line)?.[0] ?? ''}${stars}`
}
