/**
 * A pattern for one line that states these facts in this order: names, numbers, places. A test asserts them
 * and leaves the words of the sentence free.
 */
export function stating(...facts: readonly (string | number)[]): RegExp {
  return new RegExp(facts.map(wholeWord).join('.*'))
}

/** The fact as it is, and not as a part of a longer name or number. */
function wholeWord(fact: string | number): string {
  const text = String(fact)
  const before = /^\w/.test(text) ? '(?<!\\w)' : ''
  const after = /\w$/.test(text) ? '(?!\\w)' : ''
  return `${before}${text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')}${after}`
}
