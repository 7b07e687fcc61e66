import { defineConfig } from 'vitest/config'

/**
 * The unit tests that `npm run mutation` runs: those of the rooms whose files `stryker.config.json` names. Tests
 * of other rooms reach this code by way of processes and whole servers, and StrykerJS runs each test hundreds of
 * times.
 */
export default defineConfig({
  test: {
    include: ['core', 'files', 'render', 'protocols'].map((room) => `tests/${room}/**/*.test.ts`),
    testTimeout: 30_000,
  },
})
