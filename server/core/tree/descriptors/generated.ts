import type { Description } from '../description.ts'
import { writeTreeinfo } from './write.ts'

/**
 * The `.treeinfo` that treeboot serves for a tree without one. Comments in it tell those who copy the tree that neither
 * the file nor some others are part of it. All readers skip comments: ConfigParser, GKeyFile, productmd, dracut.
 */

const mark = '# Made by treeboot, which serves this tree: the tree itself has no such file.'
const alsoMade = '# Also made: '
const noRepository = '# The variant is made up, too: no repository is known.'

/** @param paths Further files that are served and are not part of the tree, relative to it. */
export function generatedTreeinfo(tree: Description, paths: readonly string[]): string {
  const made = paths.filter((path) => !/[\r\n]/.test(path)).map((path) => `${alsoMade}${path}\n`)
  const variant = tree.repositories.length === 0 ? [`${noRepository}\n`] : []
  return `${mark}\n${[...variant, ...made].join('')}\n${writeTreeinfo(tree)}`
}

/** The paths that `generatedTreeinfo` was told, and that of the file itself; undefined for a tree's own descriptor. */
export function madeByTreeboot(text: string): readonly string[] | undefined {
  const lines = text.split('\n')
  if (lines[0] !== mark) return undefined
  const made = lines.filter((line) => line.startsWith(alsoMade)).map((line) => line.slice(alsoMade.length))
  return ['.treeinfo', ...made]
}

/** Whether the variants of a generated `.treeinfo` name no repository that anybody knows of. */
export function isVariantMadeUp(text: string): boolean {
  return text.startsWith(mark) && text.includes(`\n${noRepository}\n`)
}
