import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { treebootIn } from '../support/cli.ts'
import { requireClient } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { treebootMain } from '../support/lab/lab.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

test('a password that is typed at a terminal is not shown, also when it is typed at once', async () => {
  requireClient('script')
  const home = temporaryFolder()
  writeBelow(home, 'config.yaml', '')
  const command = `node '${treebootMain}' accounts add anna --role admin`
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd: home,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void terminal.kill('SIGKILL'))
  let shown = ''
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
    if (/(?:password of anna|again): $/.test(shown)) terminal.stdin.write('correct horse battery\r')
  })
  const ended = once(terminal, 'exit')
  await eventually(() => expect(shown).toContain('anna is admin now'), 20_000)
  expect(await ended).toEqual([0, null])
  expect(shown).not.toContain('correct')
  expect((await treebootIn(home, 'accounts')).out).toMatch(/^anna +admin/m)
}, 30_000)
