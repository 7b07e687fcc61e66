/** How many unchanged lines are shown around a change, as by diff -u. */
const context = 3
/** Above so many pairs of lines, all lines between the first and the last change count as changed. */
const mostPairs = 1_000_000

/**
 * The difference of two texts, line by line: ` ` before a line that stays, `-` and `+` before one that goes or comes.
 * Lines far from any change are left out. Empty when the texts are the same.
 */
export function lineDifference(before: string, after: string): string {
  if (before === after) return ''
  const [a, b] = [linesOf(before), linesOf(after)]
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++
  const middle = changed(a.slice(start, a.length - end), b.slice(start, b.length - end))
  const marked = [
    ...a.slice(Math.max(0, start - context), start).map((line) => ` ${line}`),
    ...middle,
    ...a.slice(a.length - end, a.length - end + context).map((line) => ` ${line}`),
  ]
  return marked.map((line) => `${line}\n`).join('')
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

/** By the longest common subsequence of the lines. */
function changed(a: readonly string[], b: readonly string[]): string[] {
  if (a.length * b.length > mostPairs) return [...a.map((line) => `-${line}`), ...b.map((line) => `+${line}`)]
  const common = commonLines(a, b)
  const marked: string[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    const isCommon = i < a.length && j < b.length && a[i] === b[j]
    if (isCommon) marked.push(` ${b[j++]}`)
    if (isCommon || j === b.length || (i < a.length && common(i + 1, j) >= common(i, j + 1))) {
      if (!isCommon) marked.push(`-${a[i]}`)
      i++
    } else marked.push(`+${b[j++]}`)
  }
  return marked
}

/** How many lines two texts have in common from line `i` of one and line `j` of the other on. */
function commonLines(a: readonly string[], b: readonly string[]): (i: number, j: number) => number {
  const width = b.length + 1
  const longest = new Uint32Array((a.length + 1) * width)
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      longest[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  return at
}
