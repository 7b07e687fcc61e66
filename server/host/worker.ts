import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker, type WorkerOptions } from 'node:worker_threads'

/**
 * Starts a module in a worker thread, whether treeboot is built or runs from its sources. A built module is
 * plain JavaScript. From sources (tests, `tsx server/main.ts`) it is TypeScript, which Node 20 cannot load,
 * and a worker does not inherit the loader: a line of JavaScript starts tsx in the worker first. The
 * extension of the caller's own file tells which of the two applies. Loading tsx takes half a second of CPU,
 * so the tests translate the sources once and name the folder in `TREEBOOT_BUILT`: workers then start from
 * there.
 *
 * @param caller The caller's `import.meta.url`.
 * @param module Relative to the caller, without extension: `./worker`.
 */
export function startWorker(caller: string, module: string, options: WorkerOptions = {}): Worker {
  const fromSources = caller.endsWith('.ts')
  const entry = new URL(`${module}${fromSources ? '.ts' : '.js'}`, caller)
  // The options of this process (a debugger, a loader) are not for its workers.
  const all: WorkerOptions = { execArgv: [], ...options }
  if (!fromSources) return new Worker(entry, all)
  const built = builtFile(entry)
  if (built) return new Worker(built, all)
  const loader = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(entry.href)}) })`
  return new Worker(loader, { ...all, eval: true })
}

/** The JavaScript of a source file, where the tests have translated it. */
function builtFile(entry: URL): string | undefined {
  const { TREEBOOT_BUILT: folder } = process.env
  if (!folder) return undefined
  const source = relative(join(import.meta.dirname, '../..'), fileURLToPath(entry))
  const built = join(folder, source.replace(/\.ts$/, '.js'))
  return existsSync(built) ? built : undefined
}
