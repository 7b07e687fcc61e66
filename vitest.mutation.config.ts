import { defineConfig } from 'vitest/config'

/**
 * The unit tests that `npm run mutation` runs: those of the rooms named in `stryker.config.json`. Tests that start
 * processes, threads or whole servers are left out, because StrykerJS runs each of them hundreds of times.
 */
export default defineConfig({
  test: {
    include: ['core', 'files', 'render', 'protocols'].map((room) => `tests/${room}/**/*.test.ts`),
    testTimeout: 30_000,
  },
})
