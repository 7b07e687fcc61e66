import { readYaml, type YamlPath, type YamlValue } from '../../config/yaml.ts'
import { Failure } from '../../core/failure.ts'

/** JSON of another program, with the lines in which its values begin. */
export interface JsonData {
  readonly value: YamlValue
  lineOf(path: YamlPath): number
  /** `<?include "file"?>`, which is not followed. */
  readonly includes: readonly { readonly line: number; readonly file: string }[]
}

/**
 * Reads JSON with what Kea allows in it: comments by `#`, `//` and between `/*` and `* /`, a comma behind the last item,
 * and `<?include "file"?>`, which becomes null. JSON is YAML as well, so the reader of YAML, which knows lines and bounds
 * depth, does the rest.
 *
 * @throws Failure `invalid-data`, with the line.
 */
export function parseJsonData(text: string): JsonData {
  const includes: { line: number; file: string }[] = []
  const blank = (part: string): string => part.replace(/[^\n]/g, ' ')
  let lines = 1
  let at = 0
  const plain = text.replace(
    /"(?:[^"\\]|\\[\s\S])*"|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|<\?include\s*"([^"\n]*)"\s*\?>|\t/g,
    (part: string, file: string | undefined, offset: number) => {
      if (part.startsWith('"')) return part
      if (file === undefined) return blank(part)
      lines += linesIn(text.slice(at, offset))
      at = offset
      includes.push({ line: lines, file })
      return `null${blank(part).slice(4)}`
    },
  )
  const yaml = readYaml(plain)
  const [fault] = yaml.faults
  if (fault) throw new Failure('invalid-data', `line ${fault.line}: ${fault.message}`)
  return { value: yaml.value, includes, lineOf: (path) => yaml.position(path, 'value').line }
}

function linesIn(text: string): number {
  return text.split('\n').length - 1
}
