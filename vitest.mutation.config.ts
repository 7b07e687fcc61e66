import { defineConfig } from 'vitest/config'

/**
 * The unit tests that `npm run mutation` runs: those of the code that `stryker.config.json` names. StrykerJS runs each of
 * them hundreds of times, so whole services are left out (their tests would also kill mutants of the wire codecs, but by
 * waiting for a timeout), and properties are tried as often as in `npm test`.
 */
export default defineConfig({
  test: {
    include: [
      'tests/{core,files,machines,render}/**/*.test.ts',
      'tests/catalog/scan/gather.test.ts', // real layouts of trees, for core/distro and core/tree
      'tests/protocols/tftp/wire/*.test.ts',
      'tests/protocols/dhcp/{options,packet}.test.ts',
      'tests/protocols/nfs/{rpc,wire}.test.ts',
    ],
    // The first renders in a worker thread, where no mutant is active. The second proves bounds, which takes seconds.
    exclude: ['tests/render/kickstart-templates.test.ts', 'tests/files/udf/hostile.test.ts'],
    setupFiles: ['./tests/support/fuzz-setup.ts'],
    testTimeout: 30_000,
  },
})
