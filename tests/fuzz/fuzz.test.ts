import { expect, test } from 'vitest'
import { type Fuzzer, fuzz, seed } from '../support/fuzz.ts'
import { fuzzers } from './parsers.ts'

/** `FUZZ_PART=1/3` takes every third parser, so that several processes share a long search. */
const [part = 1, parts = 1] = (process.env.FUZZ_PART ?? '1/1').split('/').map(Number)
const chosen = Object.entries<Fuzzer>(fuzzers).filter((_, at) => at % parts === part - 1)

test.each(chosen)(`%s: no input does harm (FUZZ_SEED=${seed})`, async (name, fuzzer) => {
  expect(await fuzz(name, fuzzer)).toBeGreaterThanOrEqual(10)
})
