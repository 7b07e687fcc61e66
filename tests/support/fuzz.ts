/**
 * How often a property is tried: `times`, or a multiple of it where `FUZZ_FACTOR` asks for a longer search,
 * as the nightly run does.
 */
export function runs(times: number): number {
  return Math.ceil(times * Number(process.env.FUZZ_FACTOR ?? 1))
}
