import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { makeFolder } from '../host/atomic-write.ts'
import { type ProblemList, showPath } from './problems.ts'
import type { Config } from './schema.ts'
import type { YamlMapping, YamlPath, YamlText } from './yaml.ts'

/** Folders that an operator fills, so a name that leads nowhere is a mistake. `data` is made at the first start. */
const filledFolders = ['trees', 'tftpboot', 'templates'] as const

/** Reports folders that the file names and that are not there. */
export async function checkNamedFolders(
  { paths }: Config,
  text: YamlText,
  problems: ProblemList,
): Promise<void> {
  const named = ((text.value ?? {}) as YamlMapping).paths
  for (const key of filledFolders) {
    if (typeof named !== 'object' || named === null || !Object.hasOwn(named, key)) continue
    const found = await whatIs(paths[key])
    if (found === undefined) continue
    const path: YamlPath = ['paths', key]
    const message = `${showPath(path)}: ${paths[key]} ${found}`
    problems.add('warning', text.position(path, 'value'), message, 'correct the name, or make the folder')
  }
}

async function whatIs(folder: string): Promise<string | undefined> {
  const stats = await stat(folder).catch(() => undefined)
  if (!stats) return 'is not there, and treeboot does not make it'
  return stats.isDirectory() ? undefined : 'is not a folder'
}

/**
 * Makes `trees` beside config.yaml, where a first start expects to find it. A folder of another name or elsewhere is
 * not made.
 */
export async function makeDefaultFolders({ file, paths }: Config): Promise<void> {
  const isDefault = file === undefined || paths.trees === join(dirname(file), basename(paths.trees))
  if (isDefault && basename(paths.trees) === 'trees') await makeFolder(paths.trees).catch(() => undefined)
}
