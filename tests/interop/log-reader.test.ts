import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { httpOnly } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { makeTree, temporaryFolder } from '../support/tree-folder.ts'

const main = join(import.meta.dirname, '../../server/main.ts')

test('a server whose log nobody reads any more goes on, and ends as ever', async () => {
  const cwd = temporaryFolder()
  writeFileSync(join(cwd, 'config.yaml'), httpOnly)
  makeTree(join(cwd, 'trees/fedora-40'))
  const env = { ...process.env, TREEBOOT_BUILT: '' }
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, 'serve', '--json'], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const started = await eventually(() => {
    expect(output).toContain('"event":"started"')
    return output
  }, 60_000)
  const port = /"http":\{"host":"127.0.0.1","port":(\d+)/.exec(started)?.[1]
  child.stdout.destroy()
  child.stderr.destroy()
  // Each request is a line of the log, and lines are written five times a second.
  for (let n = 0; n < 3; n++) {
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
    child.kill('SIGHUP')
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  expect(child.exitCode).toBeNull()
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  expect(errors).toBe('')
})
