/** The numbers that a benchmark prints: medians, and ratios within a round. */

/** The median of those values that are numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** `0.93 to 1.88`: the lowest and the highest. */
export function range(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)}`
}

/** Each value divided by the value that `base` has in the same round. */
export function ratios(values: readonly number[], base: readonly number[]): number[] {
  return values.map((value, round) => value / (base[round] ?? Number.NaN))
}

/** Student's t for a two-sided interval of 95 %, by degrees of freedom; beyond the table that of the normal distribution. */
const studentT = [
  12.71, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.1,
  2.09,
]

/** The geometric mean of the ratios of pairs, with its 95 % interval. */
export function meanRatio(
  values: readonly number[],
  base: readonly number[],
): { readonly mean: number; readonly low: number; readonly high: number } {
  const logs = ratios(values, base).map(Math.log)
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / Math.max(logs.length - 1, 1)
  const half = (studentT[logs.length - 2] ?? 1.96) * Math.sqrt(variance / logs.length)
  return { mean: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half) }
}
