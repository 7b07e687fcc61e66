import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import request from 'supertest'
import { expect, onTestFinished, test } from 'vitest'
import type { App } from '../server/app.ts'
import type { Event } from '../server/events/bus.ts'
import { httpOnly, portOf, testApp } from './support/app.ts'
import { treebootIn } from './support/cli.ts'
import { eventually } from './support/eventually.ts'
import { stating } from './support/stating.ts'
import { makeTree, temporaryFolder, writeBelow } from './support/tree-folder.ts'

/** A definition file with mistakes, under a running server and at a start. */

const mac = (n: number) => `52:54:00:aa:bb:0${n}`
const good = (n: number) => `mac: ${mac(n)}\ntree: fedora-40\n`

function home(): string {
  const cwd = temporaryFolder()
  for (const folder of ['kickstart-templates', 'tftpboot']) mkdirSync(join(cwd, folder))
  makeTree(join(cwd, 'trees/fedora-40'), { version: '40', checksums: false })
  writeBelow(cwd, 'config.yaml', httpOnly)
  writeBelow(cwd, 'guests.d/kept.yaml', good(1))
  return cwd
}

async function started(cwd: string) {
  const app = testApp(cwd)
  const troubles: string[] = []
  app.events.subscribe((event: Event) => event.type === 'trouble' && troubles.push(event.message))
  onTestFinished(() => app.stop())
  await app.start()
  await eventually(() => expect(app.snapshot().trees.byId('fedora-40')?.state).toBe('ready'))
  return { app, troubles, base: `http://127.0.0.1:${portOf(app)}` }
}

const screenOf = async (base: string, n: number): Promise<string> =>
  (await request(base).get(`/grub.cfg-01-${mac(n).replaceAll(':', '-')}`)).text
const namesOf = (app: App) => app.snapshot().guests.all.map(({ name }) => name)

/** Where an operator may look, with one file that is kept and one guest that is refused. */
async function expectTold(base: string, cwd: string): Promise<void> {
  await request(base).get('/readyz').expect(200)
  expect((await request(base).get('/healthz').expect(200)).body.config).toBe('ok')
  expect((await request(base).get('/metrics')).text).toMatch(
    /^treeboot_config_refused 0[\s\S]*^treeboot_definition_files_refused 2$/m,
  )
  const { body } = await request(base).get('/api/v1/problems')
  const told: string[] = body.items
    .filter(({ severity }: { severity: string }) => severity === 'error')
    .map(({ where, message }: { where: string; message: string }) => `${where} ${message}`)
  expect(told).toEqual([
    expect.stringMatching(stating('guests.d/kept.yaml', 'guest kept', 'last good')),
    expect.stringMatching(stating('guests.d/kept.yaml:2:1', 'guests.kept.tre')),
    expect.stringMatching(stating('guests.d/new.yaml', 'guest new', 'not installed')),
    expect.stringMatching(stating('guests.d/new.yaml:2:1', 'guests.new.tre')),
  ])
  expect((await request(base).get('/')).text).toMatch(stating('guests.d/new.yaml:2:1'))
  const check = await treebootIn(cwd, 'check')
  expect(check.code).toBe(2)
  for (const [i, where] of ['kept.yaml:2:1: guests.kept.tre', 'new.yaml:2:1: guests.new.tre'].entries())
    expect([i, check.out]).toEqual([i, expect.stringContaining(`ERROR    guests.d/${where}`)])
  expect(check.out).not.toContain('has no tree')
}

/** The kept guest is installed as before, the new one is not, and its machine and its operator hear why. */
async function expectHarmedAlone(base: string, cwd: string): Promise<void> {
  expect(await screenOf(base, 1)).toContain('vmlinuz')
  expect(await screenOf(base, 3)).toContain('vmlinuz')
  const refused = await screenOf(base, 2)
  expect(refused).not.toContain('vmlinuz')
  expect(refused).toContain('guests.d/new.yaml:2:1 guests.new.tre')
  await request(base).get('/ks/new').expect(404)
  for (const command of [
    ['explain', 'new'],
    ['install', 'new'],
    ['guests', 'show', 'new'],
  ])
    expect((await treebootIn(cwd, ...command)).out).toContain('guests.d/new.yaml:2:1 guests.new.tre')
  expect((await treebootIn(cwd, 'explain', 'kept')).out).toMatch(
    stating('tree', 'fedora-40', 'last good guests.d/kept.yaml:2'),
  )
}

test('a wrong file harms itself alone, under a running server and at its next start', async () => {
  const cwd = home()
  const { app, base, troubles } = await started(cwd)
  await eventually(async () => expect(await screenOf(base, 1)).toContain('vmlinuz'))
  writeBelow(cwd, 'guests.d/kept.yaml', `mac: ${mac(1)}\ntre: fedora-40\n`)
  writeBelow(cwd, 'guests.d/new.yaml', `mac: ${mac(2)}\ntre: fedora-40\n`)
  writeBelow(cwd, 'guests.d/other.yaml', good(3))
  await eventually(() => expect(namesOf(app)).toEqual(['kept', 'new', 'other']))
  await expectTold(base, cwd)
  await expectHarmedAlone(base, cwd)
  expect(troubles.filter((message) => message.includes('guests.new.tre'))).toHaveLength(1)
  await app.stop()

  const again = await started(cwd)
  expect(namesOf(again.app)).toEqual(['kept', 'new', 'other'])
  await expectTold(again.base, cwd)
  await expectHarmedAlone(again.base, cwd)

  // Both are mended, and one goes.
  writeBelow(cwd, 'guests.d/kept.yaml', good(1))
  writeBelow(cwd, 'guests.d/new.yaml', good(2))
  rmSync(join(cwd, 'guests.d/other.yaml'))
  await eventually(() => expect(namesOf(again.app)).toEqual(['kept', 'new']))
  expect(await screenOf(again.base, 2)).toContain('vmlinuz')
  expect((await request(again.base).get('/metrics')).text).toMatch(/^treeboot_definition_files_refused 0$/m)
}, 60_000)

test('a change between the reading at a start and the beginning of the watch is not missed', async () => {
  const cwd = home()
  const { app } = await started(cwd)
  await app.stop()
  const late = testApp(cwd)
  onTestFinished(() => late.stop())
  const start = late.start()
  // The start reads the configuration first, and then opens a store and looks at all trees.
  writeBelow(cwd, 'guests.d/late.yaml', good(4))
  await start
  await eventually(() => expect(namesOf(late)).toEqual(['kept', 'late']))
}, 60_000)

test('a machine is adopted while the file of another guest is wrong, and not as one that is there', async () => {
  const cwd = home()
  const { base } = await started(cwd)
  writeBelow(cwd, 'guests.d/wrong.yaml', 'x: 1\n')
  await request(base).get('/grub.cfg-01-52-54-00-aa-bb-09')
  await eventually(async () => expect((await treebootIn(cwd, 'inbox')).out).toContain('52:54:00:aa:bb:09'))
  const adopt = (...more: string[]) => treebootIn(cwd, 'adopt', '52:54:00:aa:bb:09', '--name', ...more)
  const refused = await adopt('web09', '--profile', 'none')
  expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('guests.d/web09.yaml:')])
  expect(refused.err).not.toContain('wrong.yaml')
  expect(await adopt('web09')).toMatchObject({ code: 0 })
  expect((await treebootIn(cwd, 'guests')).out).toContain('web09')
}, 60_000)
