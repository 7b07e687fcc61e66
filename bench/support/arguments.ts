/**
 * The arguments of a benchmark: numbers and words in order, and `--quick` for one run of about a minute. A number
 * that is given wins over both defaults.
 */
const quickFlag = '--quick'
const words = process.argv.slice(2).filter((word) => word !== quickFlag)

export const isQuick = process.argv.includes(quickFlag)

/** @param at Counts from 0. */
export function wordArgument(at: number): string | undefined {
  return words[at]
}

/** @param defaults What is taken in a full run and in a quick one. */
export function numberArgument(at: number, defaults: { full: number; quick: number }): number {
  const word = words[at]
  if (word !== undefined) return Number(word)
  return isQuick ? defaults.quick : defaults.full
}
