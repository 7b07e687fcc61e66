import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { definitionFolders } from '../config/definition-files.ts'
import { defaultFileName } from '../config/texts.ts'
import { Failure } from '../core/failure.ts'
import type { CliIo } from './output/io.ts'

/** What shows that a folder without config.yaml is one of treeboot with all defaults, and not the wrong folder. */
const layout = ['trees', ...definitionFolders, 'data/treeboot.db']

/**
 * Refuses a command in a folder that has nothing of treeboot. Without this a command in the wrong folder would show an
 * empty list, and `serve` would know no guest.
 */
export async function requireConfigHere(
  { config }: { readonly config?: string },
  { cwd }: CliIo,
): Promise<void> {
  if (config !== undefined) return
  for (const name of [defaultFileName, ...layout])
    if (await stat(join(cwd, name)).catch(() => undefined)) return
  throw new Failure(
    'bad-request',
    `there is no ${defaultFileName} here (${cwd}); go to its folder, or name it with --config. An empty file has all defaults`,
  )
}
