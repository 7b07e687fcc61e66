import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import type { TestProject } from 'vitest/node'

/**
 * Global setup of the unit tests: translates the sources to JavaScript once. Worker threads and child processes
 * start from there. Node 20 cannot load TypeScript, and tsx costs each of them half a second of CPU.
 */
export default async function buildSources(project: TestProject): Promise<() => void> {
  const root = join(import.meta.dirname, '../..')
  const folder = mkdtempSync(join(tmpdir(), 'treeboot-built-'))
  for (const name of ['node_modules', 'package.json']) symlinkSync(join(root, name), join(folder, name))
  process.env.TREEBOOT_BUILT = folder
  await translate(root, folder)
  project.onTestsRerun(() => translate(root, folder))
  return () => rmSync(folder, { recursive: true })
}

async function translate(root: string, outdir: string): Promise<void> {
  const server = readdirSync(join(root, 'server'), { recursive: true, encoding: 'utf8' })
  const children = [
    'tests/support/mirror-child.ts',
    'tests/support/definitions-child.ts',
    'tests/support/kill-at-call.ts',
    'tests/store/sqlite/writer.ts',
    'tests/accounts/helper-process.ts',
    'tests/host/idle-memory-child.ts',
    'tests/host/lock-child.ts',
    'tests/support/swap-child.ts',
  ]
  await build({
    absWorkingDir: root,
    entryPoints: [
      ...server.filter((file) => file.endsWith('.ts')).map((file) => `server/${file}`),
      ...children,
    ],
    outbase: '.',
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'error',
    plugins: [oneFileEach],
  })
}

/** Nothing is bundled: each source becomes one file, which imports its neighbours by their new extension. */
const oneFileEach: Plugin = {
  name: 'one file each',
  setup: (bundler) => {
    bundler.onResolve({ filter: /./ }, ({ kind, path }) =>
      kind === 'entry-point'
        ? undefined
        : { path: path.startsWith('.') ? path.replace(/\.ts$/, '.js') : path, external: true },
    )
  },
}
