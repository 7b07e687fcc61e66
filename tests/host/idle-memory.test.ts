import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { builtFile } from '../support/built-file.ts'

const child = builtFile('tests/host/idle-memory-child.ts')

/** MiB more than before the load: at its peak, and after a rest. */
async function memoryOf(how: 'watched' | 'left alone'): Promise<[number, number]> {
  const { stdout } = await promisify(execFile)(process.execPath, [child, how])
  return JSON.parse(stdout)
}

test('memory that a load left behind is given back at rest', async () => {
  const [peak, after] = await memoryOf('watched')
  expect(peak).toBeGreaterThan(100)
  expect(after).toBeLessThan(60)
})

test('Node alone keeps it', async () => {
  const [peak, after] = await memoryOf('left alone')
  expect(after).toBeGreaterThan(peak - 30)
})
