import { execFile } from 'node:child_process'
import { existsSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { describeApi } from '../../server/api/openapi.ts'
import { routes } from '../../server/api/routes.ts'
import { makeToken } from '../support/api.ts'
import { httpOnly, portOf, testApp } from '../support/app.ts'
import { skipWith } from '../support/clients.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** What the tools of others make of the description of the API. */

const tools = join(import.meta.dirname, '../tools/node_modules')
const run = promisify(execFile)
const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
const description = JSON.stringify(describeApi(routes, 'test'))

beforeAll(() => {
  skipWith(existsSync(tools) ? undefined : 'tests/tools has no packages: npm ci --prefix tests/tools')
})

test('redocly finds nothing to say about it', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'openapi.json', description)
  const { stderr } = await run(
    process.execPath,
    [join(tools, '@redocly/cli/bin/cli.js'), 'lint', 'openapi.json'],
    {
      cwd: folder,
      env,
    },
  )
  expect(stderr).toContain('Your API description is valid')
  expect(stderr).not.toMatch(/warning was|You have [0-9]+ warn/i)
})

const program = `import type { paths } from './client.ts'
type Guests = paths['/api/v1/guests']['get']['responses'][200]['content']['application/json']
const [, , url, token] = process.argv
const response = await fetch(url + '/api/v1/guests?limit=1', { headers: { authorization: 'Bearer ' + token } })
const { items, total, next }: Guests = (await response.json()) as Guests
const names: string[] = items.map(({ name, state }) => name + ' ' + state)
console.log(JSON.stringify({ names, total, hasNext: next !== null }))
`

test('a client that openapi-typescript makes compiles, and lists guests', async () => {
  const folder = temporaryFolder()
  writeBelow(folder, 'openapi.json', description)
  writeBelow(folder, 'program.ts', program)
  writeBelow(folder, 'package.json', '{ "type": "module" }')
  writeBelow(
    folder,
    'config.yaml',
    `${httpOnly}guests: { a: { mac: "52:54:00:aa:bb:01" }, b: { mac: "52:54:00:aa:bb:02" } }\n`,
  )
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(folder, 'node_modules'))
  await run(
    process.execPath,
    [join(tools, 'openapi-typescript/bin/cli.js'), 'openapi.json', '-o', 'client.ts'],
    {
      cwd: folder,
    },
  )
  const options = ['--strict', '--target', 'es2022', '--module', 'nodenext', '--types', 'node']
  await run(
    process.execPath,
    [join(tools, 'typescript/bin/tsc'), ...options, '--rewriteRelativeImportExtensions', 'program.ts'],
    { cwd: folder },
  ).catch(({ stdout }) => expect(stdout).toBe(''))
  const app = testApp(folder)
  onTestFinished(() => app.stop())
  await app.start()
  const url = `http://127.0.0.1:${portOf(app)}`
  const { stdout } = await run(process.execPath, ['program.js', url, await makeToken(app, 'viewer')], {
    cwd: folder,
  })
  expect(JSON.parse(stdout)).toEqual({ names: ['a install'], total: 2, hasNext: true })
})
