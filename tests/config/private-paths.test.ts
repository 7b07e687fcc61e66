import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { definitionFolders } from '../../server/config/definition-files.ts'
import { loadConfigFile } from '../../server/config/last-good.ts'
import { ConfigError } from '../../server/config/problems.ts'
import { treebootIn } from '../support/cli.ts'
import { temporaryFolder, writeBelow } from '../support/tree-folder.ts'

/** A folder with a config.yaml. `links`: names and targets of the symlinks in it. */
function folderWith(config: string, links: Readonly<Record<string, string>> = {}): string {
  const folder = temporaryFolder()
  writeBelow(folder, 'config.yaml', config)
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(folder, name))
  return folder
}

async function problemsOf(folder: string): Promise<string[]> {
  try {
    await loadConfigFile({ cwd: folder })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ where, message }) => `${where} ${message.split(':')[0]}`)
  }
}

/** Data and templates are elsewhere, so that nothing but the configuration itself lies in the folder. */
const elsewhere = 'data: /var/lib/none, templates: /etc/none'
/** What is not written has the position of its section. */
const ofTrees = '1:17 paths.trees'
/** config.yaml and the folders of definitions beside it, each by a line of its own. */
const configuration = (where: string) =>
  ['config.yaml', ...definitionFolders].map(() => `config.yaml:${where}`)
const all = [
  ...['1:8 paths.data', '1:8 paths.templates'].map((each) => `config.yaml:${each}`),
  ...configuration(ofTrees),
]

test.each([
  ['a symlink to the folder of everything', 'paths: { trees: ./self }', { self: '.' }, all],
  ['a symlink to a symlink', 'paths: { trees: ./one }', { one: 'two', two: '.' }, all],
  ['a folder below a symlink to a folder above', 'paths: { trees: ./up/.. }', {}, all],
  [
    'the folder of config.yaml and of the definitions',
    `paths: { trees: ., ${elsewhere} }`,
    {},
    configuration(ofTrees),
  ],
  [
    'the same for tftpboot',
    `paths: { tftpboot: self, ${elsewhere} }`,
    { self: '.' },
    configuration('1:20 paths.tftpboot'),
  ],
  [
    'a data folder that is a link into trees',
    'paths: { data: ./state }',
    { state: 'trees/state' },
    ['config.yaml:1:16 paths.data'],
  ],
  [
    'guests.d that is a link into trees',
    'paths: { trees: public }',
    { 'guests.d': 'public/guests' },
    ['config.yaml:1:17 paths.trees'],
  ],
])('refused: %s', async (_, config, links, expected) => {
  const folder = folderWith(config, links)
  for (const name of ['trees/state', 'public/guests', 'up'])
    mkdirSync(join(folder, name), { recursive: true })
  expect((await problemsOf(folder)).sort()).toEqual([...expected].sort())
})

test.each([
  ['the defaults', '', {}],
  ['a link to a folder that holds nothing else', 'paths: { trees: ./mirror }', { mirror: 'srv' }],
  ['trees inside the data folder', 'paths: { trees: ./data/trees }', {}],
  ['folders that are not there yet', 'paths: { trees: ./no/trees, data: ./no/data }', {}],
  ['a data folder that is a link to elsewhere', 'paths: { data: ./state }', { state: '/var' }],
])('allowed: %s', async (_, config, links) => {
  const folder = folderWith(config, links)
  mkdirSync(join(folder, 'srv'))
  expect(await problemsOf(folder)).toEqual([])
})

test('check names file, line and remedy, and the server does not start', async () => {
  const folder = folderWith(`paths:\n  trees: ./self\n  data: /var/lib/none\n  templates: /etc/none\n`, {
    self: '.',
  })
  for (const command of ['check', 'serve']) {
    const { code, out, err } = await treebootIn(folder, command)
    expect(code).toBe(2)
    expect(`${out}${err}`).toMatch(
      /config.yaml:2:10.*paths\.trees: found .*\/self, which is .*, whose files are served to anyone, and the configuration .*config\.yaml is inside it/,
    )
    expect(`${out}${err}`).toContain('choose a folder that holds nothing else')
  }
})

test('without a config.yaml the default folders are checked, too', async () => {
  const folder = temporaryFolder()
  symlinkSync('.', join(folder, 'trees'))
  await expect(loadConfigFile({ cwd: folder })).rejects.toThrow('paths.data')
})
