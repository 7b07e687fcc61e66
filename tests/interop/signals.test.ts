import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { httpOnly } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'
import { treebootMain } from '../support/lab/lab.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** What signals do to a server that was started as the README says. */

interface LogLine {
  readonly event?: string
  readonly msg?: string
  readonly pid?: number
  readonly services?: { readonly http: { readonly port: number } }
}

test('a reader that goes before the output comes is no fault', () => {
  const script = `{ node '${treebootMain}' config-schema; echo "$?" >&2; } | true`
  const { stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  expect(stderr).toBe('0\n')
})

/** `npm start` on a configuration, and the lines of its log. */
function npmStart(config: string): { npm: ChildProcess; lines: LogLine[] } {
  const repository = join(import.meta.dirname, '../..')
  const env = { ...process.env, TREEBOOT_CONFIG: config }
  // A process group of its own, so that nothing of it outlives a test that fails.
  const npm = spawn('npm', ['start', '--silent', '--', '--json'], { cwd: repository, env, detached: true })
  onTestFinished(() => {
    if (npm.exitCode === null && npm.pid !== undefined) process.kill(-npm.pid, 'SIGKILL')
  })
  const lines: LogLine[] = []
  let rest = ''
  npm.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)))
  })
  return { npm, lines }
}

test('SIGHUP reads everything again and says so; SIGTERM to npm ends the server, with 0', async () => {
  const cwd = temporaryFolder()
  const config = join(cwd, 'config.yaml')
  writeFileSync(config, httpOnly)
  makeTree(join(cwd, 'trees/fedora-40'))
  writeBelow(cwd, 'kickstart-templates/a.ks', 'text\n')
  const { npm, lines } = npmStart(config)
  const texts = () => lines.map(({ msg }) => msg ?? '')
  const started = () => lines.find(({ event }) => event === 'started')
  await eventually(() => expect(started()).toBeDefined(), 120_000)
  const { pid, services } = started() ?? {}
  if (pid === undefined || services === undefined) throw new Error('the line lacks the process id')

  writeFileSync(config, `${httpOnly}guests: { web01: {} }\n`)
  for (const times of [1, 2]) {
    process.kill(pid, 'SIGHUP')
    const reloads = () => texts().filter((text) => /^SIGHUP: .* were looked at again/.test(text))
    await eventually(() => expect(reloads()).toHaveLength(times), 30_000)
  }
  expect(texts()).toContainEqual(expect.stringMatching(/config\.yaml loaded: guests: 1, profiles: 0$/))
  // A configuration with errors is refused as ever, and the server goes on.
  writeFileSync(config, 'guests: [\n')
  process.kill(pid, 'SIGHUP')
  await eventually(() => expect(texts().join('\n')).toContain('CONFIGURATION NOT USED'), 30_000)
  const url = `http://127.0.0.1:${services.http.port}/healthz`
  expect(await (await fetch(url)).json()).toMatchObject({ config: 'refused' })

  npm.kill('SIGTERM')
  expect(await once(npm, 'exit')).toEqual([0, null])
  await expect(fetch(url)).rejects.toThrow()
  // The process of the server is gone, too.
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
})
