import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { App } from '../server/app.ts'
import { createProgram, runCli } from '../server/cli/program.ts'
import { parseConfig } from '../server/config/load.ts'
import { machineOf } from '../server/core/guest/seen-machine.ts'
import { openStore } from '../server/store/sqlite/open.ts'
import { httpOnly, portOf, quickApp } from './support/app.ts'
import {
  blocksOf,
  commandsOf,
  type DocumentBlock,
  documentNames,
  documentText,
  namedCommands,
  wordsOf,
} from './support/documents.ts'
import { eventually } from './support/eventually.ts'
import { writeIso } from './support/iso/write-iso.ts'
import { sharedRenderer } from './support/renderer.ts'
import { imagesOfTree, keptFolder, makeTree, treeinfoText } from './support/tree-folder.ts'

/** README and docs: each command runs as it is written, and what is not run says why. */

const repository = join(import.meta.dirname, '..')
const blocks = documentNames().flatMap(blocksOf)
const home = keptFolder()
let app: App
let base: string

beforeAll(async () => {
  const [guests = ''] = blocksOf('README.md')
    .filter(({ language }) => language === 'yaml')
    .map(textOf)
  writeFileSync(join(home.path, 'config.yaml'), httpOnly + guests)
  cpSync(join(repository, 'kickstart-templates'), join(home.path, 'kickstart-templates'), { recursive: true })
  mkdirSync(join(home.path, 'trees'))
  makeTree(join(home.path, 'mnt/Fedora-40'))
  const iso = writeIso({ files: { '.treeinfo': treeinfoText(), ...imagesOfTree() } }).bytes
  for (const name of ['Fedora-40.iso', 'Fedora-Server-dvd-x86_64-40.iso'])
    writeFileSync(join(home.path, name), iso)
  writeFileSync(join(home.path, 'dnsmasq.conf'), 'dhcp-host=52:54:00:aa:bb:04,web04\n')
  writeFileSync(join(home.path, 'hosts.csv'), 'name,mac\nweb05,52:54:00:aa:bb:05\n')
  app = quickApp({ cwd: home.path })
  await app.start()
  base = `http://127.0.0.1:${portOf(app)}`
  // A machine that `adopt` can make a guest.
  const store = await openStore({ data: join(home.path, 'data'), witness: [], onTrouble: () => undefined })
  const seen = machineOf({ macs: ['52:54:00:aa:bb:02'] }, Date.now())
  await store.addUnknownMachines(seen ? [seen] : [])
  await store.close()
}, 30_000)
afterAll(async () => {
  await app.stop()
  home.remove()
})

function textOf({ lines }: DocumentBlock): string {
  return `${lines.join('\n')}\n`
}

/** Runs a command as it is written, with the addresses and folders of this test in the place of the examples. */
async function run(command: string): Promise<void> {
  if (/^cp /.test(command)) {
    execFileSync('sh', ['-ec', command.replaceAll(' /mnt/', ' mnt/')], { cwd: home.path })
    return
  }
  const [url] = /(?<=^curl )http:\/\/localhost:8080\/\S+$/.exec(command) ?? []
  if (url !== undefined) {
    const reply = await fetch(url.replace('http://localhost:8080', base))
    expect(reply.status, command).toBe(200)
    return
  }
  const [, ours = '', file] = /^npx treeboot (.*?)(?: > (\S+))?$/.exec(command) ?? []
  expect(ours, `${command}: no test runs this; give its block a marker`).not.toBe('')
  const words = wordsOf(
    ours.replace('http://upstream/fedora/40/Server/x86_64/os/', `${base}/trees/fedora-40/`),
  )
  const said = await treeboot(words)
  expect(said, command).toMatchObject({ code: 0 })
  if (file !== undefined) writeFileSync(join(home.path, file), said.out)
}

/** As `treebootIn`, with somebody at the terminal who answers yes. */
async function treeboot(words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: '', err: '' }
  const code = await runCli(words, {
    out: (text) => {
      said.out += text
    },
    err: (text) => {
      said.err += text
    },
    ask: async () => true,
    exit: () => {},
    color: false,
    cwd: home.path,
    settle: { quietMs: 100 },
    renderer: sharedRenderer,
  })
  return { code, ...said }
}

describe('the blocks of README and docs', () => {
  test('are all known, and what is not run says why', () => {
    expect(blocks.length).toBeGreaterThan(20)
    for (const { where, kind, note } of blocks)
      if (kind === 'not run' || kind === 'shown') expect(note, where).toMatch(/\w{3}/)
    const notRun = blocks.filter(({ kind }) => kind === 'not run').map(({ where }) => where.split(':')[0])
    // A command that becomes untestable is a decision: it is written down here, too.
    expect(notRun).toEqual([
      'README.md',
      'README.md',
      'README.md',
      'CONTRIBUTING.md',
      'docs/api.md',
      'docs/events.md',
      'docs/performance-trees.md',
    ])
  })

  test('run as they are written', async () => {
    const commands = blocks.filter(({ kind }) => kind === 'run').flatMap(commandsOf)
    expect(commands.length).toBeGreaterThan(10)
    for (const command of commands) {
      await run(command)
      if (command.startsWith('cp ')) await untilReady()
    }
    JSON.parse(readFileSync(join(home.path, 'config.schema.json'), 'utf8'))
  }, 60_000)

  test.each(
    blocks.filter(({ language }) => language === 'yaml').map((block) => [block.where, block] as const),
  )('configuration at %s loads without a warning', (_, block) => {
    expect(parseConfig(textOf(block), 'config.yaml', '/srv/treeboot').problems).toEqual([])
  })
})

/** Trees are offered when their copy is quiet; the next command may need the one that was just copied. */
async function untilReady(): Promise<void> {
  const states = () => app.snapshot().trees.all.map(({ state }) => state)
  await eventually(() => expect(states()).not.toHaveLength(0), 10_000)
  await eventually(() => expect(new Set(states())).toEqual(new Set(['ready'])), 10_000)
}

describe('what the pages show', () => {
  test('the front page has the links that README promises', async () => {
    const page = await (await fetch(base)).text()
    expect(page).toContain(`<a href="${base}/">${base}/</a>`)
  })

  test('is what check prints of mistakes', async () => {
    const shown = blocksOf('docs/configuration.md').find(({ note }) => note.startsWith('compared with'))
    const config = `${'\n'.repeat(2)}http: { prot: 80 }${'\n'.repeat(9)}guests:\n  web01:\n    mac: 52:54:00:aa:bb\n`
    const folder = keptFolder()
    writeFileSync(join(folder.path, 'config.yaml'), config)
    const lines: string[] = []
    await runCli(['check'], {
      out: (text) => void lines.push(...text.split('\n')),
      err: () => undefined,
      ask: async () => undefined,
      exit: () => {},
      color: false,
      cwd: folder.path,
      renderer: sharedRenderer,
    })
    folder.remove()
    expect(lines.slice(0, shown?.lines.length)).toEqual(shown?.lines)
  })
})

/** A command, and those of its words that are options. */
function commandOf(words: readonly string[]): { command: Command; options: string[] } {
  let command = createProgram({
    out: () => undefined,
    err: () => undefined,
    ask: async () => undefined,
    exit: () => {},
    color: false,
    cwd: home.path,
  })
  for (const word of words) {
    const inner = command.commands.find((each) => each.name() === word || each.aliases().includes(word))
    if (!inner) break
    command = inner
  }
  return { command, options: words.filter((word) => /^--?\w/.test(word)) }
}

test.each(
  documentNames()
    .flatMap(namedCommands)
    .map(({ where, words }) => [where, words.join(' '), words] as const),
)('%s names a command that exists: treeboot %s', (_, __, words) => {
  const { command, options } = commandOf(words)
  if (words[0] !== 'COMMAND' && !words[0]?.startsWith('-')) expect(command.name()).not.toBe('treeboot')
  const known = command.options.flatMap(({ short, long }) => [short, long])
  for (const option of options) expect([...known, '--help', '-c', '--version']).toContain(option)
})

test('README writes its commands as they work after `npm ci`', () => {
  expect(documentText('README.md')).not.toMatch(/`treeboot [a-z]/)
})
