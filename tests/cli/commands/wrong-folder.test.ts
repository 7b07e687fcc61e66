import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { httpOnly, quickApp } from '../../support/app.ts'
import { treebootIn } from '../../support/cli.ts'
import { makeTree, namesBelow, temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

const reading = [
  ['serve'],
  ['check'],
  ['trees'],
  ['trees', 'history', 'fedora-40'],
  ['trees', 'gc'],
  ['guests'],
  ['guests', 'show', 'web01'],
  ['inbox'],
  ['adopt', '52:54:00:aa:bb:01', '--name', 'web01'],
  ['install', 'web01'],
  ['local', 'web01'],
  ['hold', 'web01'],
  ['explain', 'web01'],
  ['render', 'web01'],
  ['lookup', '--distro', 'fedora'],
  ['verify', 'fedora-40'],
  ['loaders'],
  ['dhcp-config', 'dnsmasq'],
  ['accounts'],
  ['accounts', 'add', 'anna', '--role', 'admin'],
  ['accounts', 'setup-link'],
  ['tokens'],
  ['tokens', 'add', 'ci', '--account', 'anna', '--role', 'viewer'],
  ['audit'],
  ['import', '/dev/null'],
  ['mirror', 'http://127.0.0.1:9/'],
]

test.each(reading.map((words) => [words.join(' '), words] as const))(
  '%s in the wrong folder says that config.yaml is not here, and makes nothing',
  async (_, words) => {
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, 'photos'))
    const { code, out, err } = await treebootIn(cwd, ...words)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(`there is no config.yaml here (${cwd}); go to its folder, or name it with --config`)
    expect(readdirSync(cwd)).toEqual(['photos'])
  },
)

test.each(['trees/x', 'guests.d/web01.yaml', 'mirrors.d/a/b.yaml', 'data/treeboot.db'])(
  'a folder without config.yaml that has %s has all defaults',
  async (path) => {
    const cwd = temporaryFolder()
    writeBelow(cwd, path, '')
    expect((await treebootIn(cwd, 'trees')).err).not.toContain('config.yaml')
  },
)

test('a name after --config that leads nowhere is told in plain words, with what it is', async () => {
  const cwd = temporaryFolder()
  symlinkSync('gone.yaml', join(cwd, 'linked.yaml'))
  const ofFile = await treebootIn(cwd, 'guests', '-c', 'nope.yaml')
  expect(ofFile).toMatchObject({
    code: 2,
    err: 'treeboot: nope.yaml does not exist; check the name after --config\n',
  })
  const ofLink = await treebootIn(cwd, 'guests', '-c', 'linked.yaml')
  expect(ofLink.err).toBe('treeboot: linked.yaml is a link to a file that does not exist\n')
})

test('folders that the configuration names and that are not there are problems with their line', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'paths:\n  trees: tres\n  templates: kickstart\n  tftpboot: a-file\n')
  writeBelow(cwd, 'a-file', '')
  const { code, out } = await treebootIn(cwd, 'check')
  expect(code).toBe(2)
  for (const line of [
    /warning +config\.yaml:2:10: paths\.trees: \S+\/tres is not there, and treeboot does not make it/,
    /warning +config\.yaml:3:14: paths\.templates: \S+\/kickstart is not there/,
    /warning +config\.yaml:4:13: paths\.tftpboot: \S+\/a-file is not a folder/,
    /ERROR +\S+\/tres: the folder is missing, so there are no trees/,
  ])
    expect(out).toMatch(line)
})

test('a server makes nothing where paths.trees points by mistake, and goes on', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', `${httpOnly}paths: { trees: tres/here }\nguests: { web01: {} }\n`)
  const troubles: string[] = []
  const app = quickApp({ cwd })
  app.events.subscribe((event) => event.type === 'trouble' && troubles.push(event.message))
  onTestFinished(() => app.stop())
  await app.start()
  expect(troubles.join('\n')).toMatch(/no uploads: .*tres/)
  expect(app.snapshot().problems.map(({ severity, message }) => `${severity} ${message}`)).toContainEqual(
    expect.stringMatching(/^error the folder is missing/),
  )
  const { code, err } = await treebootIn(cwd, 'import', makeAside(cwd))
  expect({ code, err }).toEqual({
    code: 3,
    err: expect.stringContaining('tres/here: expected a folder; make it'),
  })
  await app.stop()
  expect(namesBelow(cwd).filter((name) => name.startsWith('tres'))).toEqual([])
})

function makeAside(cwd: string): string {
  makeTree(join(cwd, 'aside'))
  return 'aside'
}

test('the default folder is made at a first start', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', httpOnly)
  const app = quickApp({ cwd })
  onTestFinished(() => app.stop())
  await app.start()
  expect(readdirSync(cwd)).toEqual(expect.arrayContaining(['config.yaml', 'data', 'trees']))
  expect(app.snapshot().problems.map(({ where }) => where)).not.toContain(join(cwd, 'trees'))
})
