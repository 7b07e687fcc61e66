import { defineConfig } from 'vitest/config'

/**
 * Two projects. `unit` needs nothing but Node and runs anywhere, offline. `interop` drives real clients
 * (virt-install, QEMU, lftp, ...) one file after the other: emulated machines share two cores badly.
 *
 * On a CI machine a test that fails is tried once more, and both tries are in its output: an emulated machine on a
 * loaded host sometimes misses a deadline that has nothing to do with us. At a desk every failure counts at once.
 */
const retry = process.env.CI ? 1 : 0

export default defineConfig({
  test: {
    // Every core: vitest would leave one idle, and many tests wait for sockets and clocks.
    maxWorkers: '100%',
    coverage: {
      provider: 'v8',
      include: ['server/**/*.ts'],
      reporter: ['text-summary', 'html'],
      reportsDirectory: 'coverage',
    },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/interop/**', 'dist/**', 'node_modules/**'],
          testTimeout: 30_000,
          retry,
        },
      },
      {
        test: {
          name: 'interop',
          include: ['tests/interop/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 240_000,
          retry,
          hookTimeout: 240_000,
        },
      },
    ],
  },
})
