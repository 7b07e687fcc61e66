import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseConfig } from '../../server/config/load.ts'
import { ConfigError } from '../../server/config/problems.ts'
import { expectGolden } from '../support/golden.ts'

const folder = join(import.meta.dirname, '../fixtures/config')

function configErrorOf(text: string): ConfigError {
  try {
    parseConfig(text, 'config.yaml', '/srv/treeboot')
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('a broken configuration was accepted')
}

describe('the messages for a broken config.yaml', () => {
  test.each(readdirSync(folder).sort())('%s', (name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    const { message, problems, kind } = configErrorOf(text)
    expect(kind).toBe('invalid-data')
    const lines = text.split('\n').length
    for (const { where, severity } of problems) {
      const [, line = 0, column = 0] = where.split(':').map(Number)
      expect(severity).toBe('error')
      expect(line).toBeGreaterThan(0)
      expect(line).toBeLessThanOrEqual(lines)
      expect(column).toBeGreaterThan(0)
    }
    expectGolden(`config-errors/${name.replace('.yaml', '.txt')}`, `${message}\n`)
  })
})
