import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'

const project = join(import.meta.dirname, '../..')
const folder = join(project, 'tests/golden')

/**
 * Compares text with `tests/golden/<name>`. `npm run golden` writes the files anew; a human then reads the
 * diff. Names carry the true extension of what they hold, so that editors and checkers know them.
 */
export function expectGolden(name: string, text: string): void {
  const file = join(folder, name)
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    return
  }
  expect(existsSync(file), `${file} is missing: npm run golden writes it`).toBe(true)
  expect(text).toBe(readFileSync(file, 'utf8'))
}

/**
 * Compares text with the part of a page between `<!-- begin <name> ... -->` and `<!-- end <name> -->`.
 * `npm run golden` writes that part anew and leaves the rest of the page alone.
 */
export function expectGoldenPart(page: string, name: string, text: string): void {
  const file = join(project, page)
  const whole = readFileSync(file, 'utf8')
  const { before, part, after } = splitPage(whole, name)
  if (process.env.UPDATE_GOLDEN) writeFileSync(file, `${before}${text}${after}`)
  else expect(part, `${page}, part "${name}": npm run golden writes it`).toBe(text)
}

/**
 * Splits a page around the part with a name. The blank lines beside the two comments belong to the comments.
 */
export function splitPage(page: string, name: string): { before: string; part: string; after: string } {
  const begin = page.indexOf(`<!-- begin ${name}`)
  const from = page.indexOf('-->\n\n', begin) + '-->\n\n'.length
  const to = page.indexOf(`\n\n<!-- end ${name} -->`, from)
  if (begin < 0 || from < begin || to < 0) throw new Error(`the page has no part "${name}"`)
  return { before: page.slice(0, from), part: page.slice(from, to), after: page.slice(to) }
}
