import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { httpOnly } from '../../support/app.ts'
import { builtFile } from '../../support/built-file.ts'
import { makeTree, temporaryFolder } from '../../support/tree-folder.ts'

/** The program as a process of its own: what it does when nobody reads what it prints, or when there is no room for it. */
const main = builtFile('server/main.js')

function folder(): string {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'config.yaml'), httpOnly)
  makeTree(join(cwd, 'trees/fedora-40'))
  return cwd
}

test('a reader that has seen enough ends a command without a word', async () => {
  const child = spawn(process.execPath, [main, '--help'], {
    cwd: folder(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.destroy()
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(errors).toBe('')
})

test.runIf(process.platform === 'linux')('output without room for it is a failure that says so', () => {
  const stdio = ['ignore', openSync('/dev/full', 'w'), 'pipe'] as const
  const ended = spawnSync(process.execPath, [main, '--help'], {
    cwd: folder(),
    stdio: [...stdio],
    encoding: 'utf8',
  })
  expect(ended.stderr).toBe(
    'treeboot: standard output cannot be written: ENOSPC: no space left on device, write\n',
  )
  expect(ended.status).toBe(1)
})
