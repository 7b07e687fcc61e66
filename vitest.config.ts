import { statfsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/**
 * Three projects. `unit` needs nothing but Node and runs anywhere, offline. `clients` drives real clients (curl,
 * lftp, virt-install, ...), and `machines` boots emulated machines. These two run one file after the other, and
 * never at the same time (`groupOrder`), because emulated machines share a few cores badly.
 */
const machines = [
  'boot-life',
  'boot-test',
  'boot-timelines',
  'demo',
  'dhcp-relay',
  'dry-boot',
  'ftp-nfs-install',
  'held-out-boots',
  'lost-store',
  'nfs-clients',
  'proxydhcp',
  'pxe-bios',
  'pxe-ipv6',
  'pxe-uefi',
  'renderers',
  'restart',
  'static-network',
  'udf',
  'uefi-disk',
  'virt-install',
  'xen',
].map((name) => `tests/interop/${name}.test.ts`)

const { CI, FUZZ_FACTOR, FUZZ_INPUTS } = process.env
/** A longer search for counterexamples (tests/support/fuzz.ts), as the nightly run makes it. */
const fuzzing = FUZZ_FACTOR !== undefined || FUZZ_INPUTS !== undefined

/** The unit tests make thousands of small files and wait until they are on the disk: in memory that takes no time. */
function temporaryFolder(): string | undefined {
  const { TMPDIR } = process.env
  if (TMPDIR !== undefined) return TMPDIR
  try {
    const { bavail, bsize } = statfsSync('/dev/shm')
    return bavail * bsize > 2 ** 30 ? '/dev/shm' : undefined
  } catch {
    return undefined
  }
}
const unitFolder = temporaryFolder()

/** Every test has a new store and defines its guests first; such a start holds them unless this says otherwise. */
const newStore = { TREEBOOT_NEW_STORE: 'install' }

const withRealPrograms = {
  env: newStore,
  fileParallelism: false,
  testTimeout: 240_000,
  hookTimeout: 240_000,
  // An emulated machine on a loaded host sometimes misses a deadline that is not ours, so CI tries a test once more
  // and names it in its summary. On a developer's machine every failure counts at once.
  retry: CI ? 1 : 0,
}

/** Node 20's name for when code is optimized; later versions have a compiler between, and need nothing here. */
const lateOptimizing = process.versions.node.startsWith('20.') ? ['--interrupt-budget=4000000'] : []

/**
 * How V8 runs a worker that lives for a minute:
 * - many small objects die young: a larger space for them, in MiB, saves a tenth of the time;
 * - the workers fill all cores, so threads that help one of them to collect only get in the way of the others;
 * - most code runs too seldom to repay the optimizing compiler, which took a seventh of the time: it begins later,
 *   and puts fewer functions into one. A longer search is worth its optimizing.
 */
const shortLife = [
  '--max-semi-space-size=64',
  '--single-threaded-gc',
  ...(fuzzing ? [] : ['--max-inlined-bytecode-size-cumulative=200', ...lateOptimizing]),
]

export default defineConfig({
  test: {
    // One more than there are cores: many tests wait for sockets and clocks.
    maxWorkers: availableParallelism() + 1,
    // The next run finds the translated modules in node_modules/.experimental-vitest-cache, by their content.
    experimental: { fsModuleCache: true },
    reporters: CI ? ['default', './tests/support/ci-reporter.ts'] : ['default'],
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
          exclude: ['tests/interop/**', 'dist/**', '**/node_modules/**'],
          // Files share a worker and its modules, which halves the time: no test replaces a module or leaves a clock behind.
          isolate: false,
          execArgv: shortLife,
          globalSetup: ['./tests/support/build-sources.ts'],
          // No folder: commands that tests start leave nothing in the developer's own cache.
          env: {
            ...newStore,
            XDG_CACHE_HOME: '/dev/null',
            ...(unitFolder === undefined ? {} : { TMPDIR: unitFolder }),
          },
          setupFiles: fuzzing ? ['./tests/support/fuzz-setup.ts'] : [],
          testTimeout: fuzzing ? 4 * 3_600_000 : 30_000,
        },
      },
      {
        test: {
          name: 'clients',
          include: ['tests/interop/**/*.test.ts'],
          exclude: machines,
          sequence: { groupOrder: 1 },
          ...withRealPrograms,
        },
      },
      {
        test: { name: 'machines', include: machines, sequence: { groupOrder: 2 }, ...withRealPrograms },
      },
    ],
  },
})
