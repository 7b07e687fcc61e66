import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { UndoStack } from '../../server/emulator/undo.ts'
import { builtFile } from '../support/built-file.ts'

test('all steps run, newest first, and failures are thrown at the end', () => {
  const undo = new UndoStack()
  const order: string[] = []
  undo.push('namespace', () => order.push('namespace'))
  undo.push('bridge', () => {
    throw new Error('busy')
  })
  undo.push('machine', () => order.push('machine'))
  expect(() => undo.unwind()).toThrow('left behind: bridge: busy')
  expect(order).toEqual(['machine', 'namespace'])
  expect(() => undo.unwind()).not.toThrow()
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s in the middle leaves nothing behind', async (signal) => {
  const folder = mkdtempSync(join(tmpdir(), 'tb-undo-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const undo = pathToFileURL(builtFile('server/emulator/undo.ts')).href
  const script = `import { UndoStack } from '${undo}'
    import { rmSync } from 'node:fs'
    new UndoStack().push('folder', () => rmSync('${folder}', { recursive: true }))
    setInterval(() => {}, 1000)
    process.stdout.write('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  const ended = new Promise((resolve) => child.once('exit', (_, by) => resolve(by)))
  child.kill(signal)
  expect(await ended).toBe(signal)
  expect(existsSync(folder)).toBe(false)
})
