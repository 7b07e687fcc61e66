import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const project = join(import.meta.dirname, '..')

test('every promise of docs/security.md names tests, and they exist', () => {
  const document = readFileSync(join(project, 'docs/security.md'), 'utf8')
  const rows = document.split('\n').filter((line) => /^\| (?!promise |---)/.test(line))
  expect(rows.length).toBeGreaterThan(10)
  for (const row of rows) {
    const named = row.match(/tests\/[\w./-]+/g) ?? []
    expect(named, row).not.toEqual([])
    expect(named.filter((path) => !existsSync(join(project, path)))).toEqual([])
  }
})
