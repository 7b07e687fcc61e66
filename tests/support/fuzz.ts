import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'

const { FUZZ_INPUTS, FUZZ_FACTOR, FUZZ_SEED } = process.env
export const isSearch = FUZZ_INPUTS !== undefined || FUZZ_FACTOR !== undefined

/**
 * How often a property is tried: a tenth of `times` among the unit tests, all of them where `npm run fuzz`
 * searches, and a multiple where `FUZZ_FACTOR` asks for a longer search, as the nightly run does.
 */
export function runs(times: number): number {
  return searches(times)
}

/** The same for a property of which the unit tests try another part. */
export function searches(times: number, part = 1 / 10): number {
  return Math.ceil(isSearch ? times * Number(FUZZ_FACTOR ?? 1) : times * part)
}

/** How one parser is searched for inputs that do harm. */
export interface Fuzzer {
  /** Inputs that it reads. Mutations of them are tried, and bytes of any kind. */
  readonly seeds: readonly Uint8Array[]
  /** Pieces that mean something in the format: they are put anywhere. */
  readonly tokens: readonly (string | Uint8Array)[]
  /** Reads one input. It throws whatever a parser must not do, and nothing else. */
  readonly read: (input: Buffer) => unknown
  /** One input costs as much as so many of a usual parser. Default: 1. */
  readonly cost?: number
}

/** `npm run fuzz` gives the number. In the unit tests a few inputs show that a fuzzer works. */
const inputs = Number(FUZZ_INPUTS ?? 100)
/** `FUZZ_SEED` repeats a search. */
export const seed = Number(FUZZ_SEED ?? Date.now() % 0x7fffffff)
const corpus = join(import.meta.dirname, '../corpus')

/** The files of one folder of the corpus. Images are kept as text; their own tests read those. */
export function corpusOf(name: string): readonly Buffer[] {
  try {
    return readdirSync(join(corpus, name)).map((file) => readFileSync(join(corpus, name, file)))
  } catch {
    return []
  }
}

/** Seeds from texts. */
export const text = (...seeds: string[]) => seeds.map((seed) => Buffer.from(seed))
/** Seeds from hexadecimal digits. */
export const bytes = (...seeds: string[]) => seeds.map((hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex'))

/** A parser refuses foreign bytes by such an error, and by no other. */
export function refusesBy(kind: abstract new (...rest: never[]) => Error, read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (error instanceof kind) return undefined
    throw error
  }
}

/** Reads whatever was found before, then as many new inputs as were asked for. Keeps an input that does harm. */
export async function fuzz(name: string, { seeds, tokens, read, cost = 1 }: Fuzzer): Promise<number> {
  const found = `found/${name}`
  for (const input of corpusOf(found)) await read(input)
  const numRuns = Math.max(10, Math.ceil(inputs / cost))
  try {
    await fc.assert(
      fc.asyncProperty(mutations(seeds, tokens), async (input) => {
        try {
          await read(input)
        } catch (error) {
          if (FUZZ_INPUTS !== undefined) last = input
          throw error
        }
      }),
      { numRuns, seed, endOnFailure: false },
    )
  } catch (error) {
    if (last) keep(found, last)
    throw error
  } finally {
    last = undefined
  }
  return numRuns
}

/** The last input that did harm: after the search it is the smallest. */
let last: Buffer | undefined

function keep(folder: string, input: Buffer): void {
  const name = createHash('sha256').update(input).digest('hex').slice(0, 12)
  mkdirSync(join(corpus, folder), { recursive: true })
  writeFileSync(join(corpus, folder, name), input)
}

/** Bytes changed, cut, doubled, joined with another seed, or with a token put in; or bytes of any kind. */
function mutations(seeds: readonly Uint8Array[], tokens: Fuzzer['tokens']): fc.Arbitrary<Buffer> {
  const place = fc.double({ min: 0, max: 1, noNaN: true })
  const one = fc.record({
    how: fc.nat(5),
    from: place,
    to: place,
    junk: fc.uint8Array({ maxLength: 6 }),
    token: fc.constantFrom(...tokens.map((each) => Buffer.from(each as string))),
    other: fc.constantFrom(...seeds),
  })
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(one, { minLength: 1, maxLength: 4 }))
    .map(([first, changes]) => changes.reduce(mutate, Buffer.from(first)))
  const any = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
  return fc.oneof({ weight: 7, arbitrary: mutated }, { weight: 1, arbitrary: any })
}

interface Mutation {
  readonly how: number
  readonly from: number
  readonly to: number
  readonly junk: Uint8Array
  readonly token: Uint8Array
  readonly other: Uint8Array
}

function mutate(bytes: Buffer, { how, from, to, junk, token, other }: Mutation): Buffer {
  const [low, high] = [Math.min(from, to), Math.max(from, to)].map((at) => Math.floor(at * bytes.length))
  const [head, middle, tail] = [bytes.subarray(0, low), bytes.subarray(low, high), bytes.subarray(high)]
  const parts: readonly (readonly Uint8Array[])[] = [
    [head, junk, bytes.subarray((low ?? 0) + junk.length)],
    [head, tail],
    [head, middle, middle, tail],
    [head, token, middle, tail],
    [head],
    [head, other.subarray(Math.floor(to * other.length))],
  ]
  return Buffer.concat(parts[how] ?? [])
}
