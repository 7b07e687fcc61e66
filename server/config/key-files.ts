import { readKeyFile } from '../verify/signatures/key-files.ts'
import { type ProblemList, showPath } from './problems.ts'
import type { Config } from './schema.ts'
import type { YamlPath, YamlText } from './yaml.ts'

/**
 * Reads the files of `verify.keys`, so that a file without a key is reported before a tree is fetched for
 * hours.
 */
export async function checkKeyFiles(
  { verify }: Config,
  text: YamlText,
  problems: ProblemList,
): Promise<void> {
  for (const [at, file] of verify.keys.entries()) {
    const read = await readKeyFile(file)
    if (Array.isArray(read)) continue
    // A single key may be written without a list.
    const path: YamlPath = isList(text) ? ['verify', 'keys', at] : ['verify', 'keys']
    const message = `${showPath(path)}: key file ${file} ${read.found}`
    problems.add('error', text.position(path, 'value'), message, read.remedy)
  }
}

function isList({ value }: YamlText): boolean {
  const { verify } = (value ?? {}) as { readonly verify?: { readonly keys?: unknown } }
  return Array.isArray(verify?.keys)
}
