import { join } from 'node:path'

/** The JavaScript of a source file that a test starts as a process; its path is from the root of the project. */
export function builtFile(source: string): string {
  const { TREEBOOT_BUILT: folder } = process.env
  if (!folder) throw new Error('TREEBOOT_BUILT is not set: start the tests by vitest')
  return join(folder, source.replace(/\.ts$/, '.js'))
}
