import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'

const folder = join(import.meta.dirname, '../golden')

/**
 * Compares text with `tests/golden/<name>`. `npm run test:golden` writes the files anew; a human then reads the
 * diff. Names carry the true extension of what they hold, so that editors and checkers know them.
 */
export function expectGolden(name: string, text: string): void {
  const file = join(folder, name)
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    return
  }
  expect(existsSync(file), `${file} is missing: npm run test:golden writes it`).toBe(true)
  expect(text).toBe(readFileSync(file, 'utf8'))
}
