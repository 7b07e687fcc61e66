import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import request from 'supertest'
import { expect, onTestFinished, test } from 'vitest'
import type { App } from '../server/app.ts'
import { ConfigError } from '../server/config/problems.ts'
import type { Event } from '../server/events/bus.ts'
import { httpOnly, portOf, testApp } from './support/app.ts'
import { treebootIn } from './support/cli.ts'
import { eventually } from './support/eventually.ts'
import { temporaryFolder, writeBelow } from './support/tree-folder.ts'

/** A configuration with errors, under a running server and at a start. */

const good = `${httpOnly}guests:\n  web01: { mac: "52:54:00:aa:bb:01" }\n`
const record = 'data/last-good-config.json'

function home(config = good): string {
  const cwd = temporaryFolder()
  for (const folder of ['trees', 'kickstart-templates']) mkdirSync(join(cwd, folder))
  writeBelow(cwd, 'config.yaml', config)
  return cwd
}

async function started(cwd: string): Promise<{ app: App; base: string; refusals: string[] }> {
  const app = testApp(cwd)
  const refusals: string[] = []
  const onEvent = (event: Event): void => {
    if (event.type === 'config' && event.outcome === 'kept-last-good') refusals.push(event.message)
  }
  app.events.subscribe(onEvent)
  onTestFinished(() => app.stop())
  await app.start()
  return { app, base: `http://127.0.0.1:${portOf(app)}`, refusals }
}

/** Starts once, so that the configuration is kept, and stops. */
async function startOnce(cwd: string): Promise<void> {
  const { app } = await started(cwd)
  await app.stop()
}

const guestsOf = ({ app }: { app: App }) => app.snapshot().guests.all.map(({ name }) => name)

/** What the server says of its configuration, in each place where an operator may look. */
async function shownBy(base: string) {
  const health = await request(base).get('/healthz').expect(200)
  const ready = await request(base).get('/readyz')
  const problems: { message: string; where: string }[] = (await request(base).get('/api/v1/problems')).body
    .items
  const page = (await request(base).get('/')).text
  const gauge = /^treeboot_config_refused (\d)$/m.exec((await request(base).get('/metrics')).text)?.[1]
  return {
    health: health.body.config,
    ready: [ready.status, ready.body.reasons.join()],
    problems: problems.map(({ where, message }) => `${where} ${message}`),
    page: /last good configuration/.test(page),
    gauge,
  }
}

test('a file that is refused under a running server is shown everywhere, until it is right again', async () => {
  const cwd = home()
  const server = await started(cwd)
  const before = await shownBy(server.base)
  expect(before).toMatchObject({ health: 'ok', ready: [200, ''], page: false, gauge: '0' })
  writeFileSync(join(cwd, 'config.yaml'), `${good}htpp: {}\n`)
  await eventually(async () => expect((await shownBy(server.base)).health).toBe('refused'))
  const shown = await shownBy(server.base)
  expect(shown).toMatchObject({ page: true, gauge: '1' })
  expect(shown.ready).toEqual([503, expect.stringContaining('config.yaml cannot be used')])
  expect(shown.problems).toEqual([
    // The good configuration is the one in force, and its guest has no tree.
    expect.stringMatching(/^config\.yaml:8 guest web01 has no tree/),
    expect.stringMatching(/^config\.yaml .*refused.*last good/),
    expect.stringMatching(/^config\.yaml:9:1 htpp: unknown key/),
  ])
  expect(guestsOf(server)).toEqual(['web01'])
  writeFileSync(join(cwd, 'config.yaml'), good)
  await eventually(async () => expect(await shownBy(server.base)).toEqual(before))
}, 20_000)

test.each([
  ['does not parse', 'guests: [\n'],
  ['has an unknown key', `${good}htpp: {}\n`],
  ['is not text', Buffer.from([0xff, 0xfe, 0x41])],
  ['is gone', undefined],
])(
  'a server whose config.yaml %s starts with the last good one, and says so',
  async (_, broken) => {
    const cwd = home()
    writeBelow(cwd, 'guests.d/web02.yaml', 'mac: 52:54:00:aa:bb:02\n')
    await startOnce(cwd)
    expect(statSync(join(cwd, record)).mode & 0o777).toBe(0o600)
    if (broken === undefined) rmSync(join(cwd, 'config.yaml'))
    else writeFileSync(join(cwd, 'config.yaml'), broken)
    const server = await started(cwd)
    expect(guestsOf(server)).toEqual(['web01', 'web02'])
    expect(server.refusals).toEqual([
      expect.stringMatching(/^config\.yaml .*last good configuration of \d{4}-/),
    ])
    expect(await shownBy(server.base)).toMatchObject({ health: 'refused', page: true, gauge: '1' })
    // The disk is what `check` judges.
    if (broken !== undefined) expect((await treebootIn(cwd, 'check')).code).toBe(2)
    // Correcting the file ends it, without another restart.
    writeFileSync(join(cwd, 'config.yaml'), good.replace('web01', 'web03'))
    await eventually(() => expect(guestsOf(server)).toEqual(['web03', 'web02']))
    expect((await shownBy(server.base)).health).toBe('ok')
  },
  20_000,
)

test('the data folder is found where the broken file names it', async () => {
  const cwd = home(`paths: { data: elsewhere }\n${good}`)
  await startOnce(cwd)
  expect(() => statSync(join(cwd, 'data'))).toThrow()
  writeFileSync(join(cwd, 'config.yaml'), `paths: { data: elsewhere }\n${good}  web02: { mac: [\n`)
  expect(guestsOf(await started(cwd))).toEqual(['web01'])
})

test('a running server keeps each configuration that it takes, and none that it refuses', async () => {
  const cwd = home()
  const { app } = await started(cwd)
  const kept = () => JSON.parse(readFileSync(join(cwd, record), 'utf8')).files[0].text
  const next = good.replace('web01', 'web07')
  writeFileSync(join(cwd, 'config.yaml'), next)
  await eventually(() => expect(kept()).toBe(next))
  writeFileSync(join(cwd, 'config.yaml'), 'guests: [\n')
  await eventually(() => expect(app.snapshot().guests.byName('web07')).toBeDefined())
  await app.stop()
  expect(kept()).toBe(next)
})

test.each([
  ['there is none', undefined, (file: string) => rmSync(file)],
  [
    'it is damaged',
    /config.yaml was changed/,
    (file: string) => writeFileSync(file, readFileSync(file, 'utf8').replace('web01', 'web99')),
  ],
  [
    'it is half of one',
    /is damaged/,
    (file: string) => writeFileSync(file, readFileSync(file, 'utf8').slice(0, 200)),
  ],
  [
    'it is that of another config.yaml',
    /that of \/srv\/config.yaml/,
    (file: string) =>
      writeFileSync(
        file,
        readFileSync(file, 'utf8').replace(/"config": ".*"/, '"config": "/srv/config.yaml"'),
      ),
  ],
])('without a last good one that can be trusted the server does not start: %s', async (_, why, spoil) => {
  const cwd = home()
  await startOnce(cwd)
  spoil(join(cwd, record))
  writeFileSync(join(cwd, 'config.yaml'), 'guests: [\n')
  const error = await started(cwd).catch((reason: unknown) => reason)
  if (!(error instanceof ConfigError)) throw error
  const warnings = error.problems.filter(({ severity }) => severity === 'warning')
  expect(warnings).toEqual(why ? [expect.objectContaining({ message: expect.stringMatching(why) })] : [])
})

test('a last good one that is refused now starts nothing: its folders became public', async () => {
  const cwd = home()
  await startOnce(cwd)
  rmSync(join(cwd, 'trees'), { recursive: true })
  writeFileSync(join(cwd, 'config.yaml'), `${good}htpp: {}\n`)
  symlinkSync('.', join(cwd, 'trees'))
  await expect(started(cwd)).rejects.toThrow('htpp')
})

test('a data folder that cannot be written is told, and the server goes on', async () => {
  const cwd = home()
  await startOnce(cwd)
  rmSync(join(cwd, record))
  mkdirSync(join(cwd, record))
  chmodSync(join(cwd, record), 0o755)
  const app = testApp(cwd)
  const troubles: string[] = []
  app.events.subscribe((event) => event.type === 'trouble' && troubles.push(event.message))
  onTestFinished(() => app.stop())
  await app.start()
  expect(troubles).toEqual([expect.stringMatching(/^the configuration cannot be kept/)])
})
