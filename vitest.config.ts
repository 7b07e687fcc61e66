import { defineConfig } from 'vitest/config'

/**
 * Two projects. `unit` needs nothing but Node and runs anywhere, offline. `interop` drives real clients
 * (virt-install, QEMU, lftp, ...) one file after the other: emulated machines share two cores badly.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: ['tests/interop/**', 'dist/**', 'node_modules/**'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'interop',
          include: ['tests/interop/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
})
