/**
 * The candidate that a mistyped name most likely meant, or undefined when none is close: at most one slip for
 * every three letters, and one in shorter names. Swapped neighbours count as one slip. Case does not count, nor
 * `-` in place of `_`.
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = fold(name.slice(0, maxLength))
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const allowed = Math.max(1, Math.floor(Math.max(wanted.length, candidate.length) / 3))
    const distance = editDistance(wanted, fold(candidate))
    // With as many slips as it has letters, a candidate has nothing in common with the name.
    if (distance > allowed || distance >= bestDistance || distance >= Math.max(1, candidate.length)) continue
    best = candidate
    bestDistance = distance
  }
  return best
}

/** Longer names are cut, because the time grows with the product of both lengths. */
const maxLength = 100

function fold(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

/** Optimal string alignment: each insertion, deletion, replacement and swap of neighbours counts one. */
export function editDistance(a: string, b: string): number {
  // Texts that differ so much in length are not compared: that would take too long.
  if (Math.abs(a.length - b.length) > maxLength) return Math.max(a.length, b.length)
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      current[column] = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
        swapped ? at(beforeLast, column - 2) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    beforeLast = last
    last = current
  }
  return at(last, b.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}
