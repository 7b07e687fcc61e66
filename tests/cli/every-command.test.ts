import { join } from 'node:path'
import { expect, test } from 'vitest'
import { allCommands, wordsOf } from '../../server/cli/every-command.ts'
import { exitCodeTexts } from '../../server/cli/output/io.ts'
import { createProgram } from '../../server/cli/program.ts'
import { namedCommands, serverSentence, servingOf, thisMachine } from '../../server/cli/remote/served.ts'
import { treebootAt, treebootIn } from '../support/cli.ts'
import { documentText } from '../support/documents.ts'
import { expectGoldenPart } from '../support/golden.ts'
import { makeTree, temporaryFolder, writeBelow } from '../support/tree-folder.ts'

const program = createProgram({
  out: () => undefined,
  err: () => undefined,
  ask: async () => undefined,
  exit: () => undefined,
  color: false,
  cwd: '/',
})
const commands = allCommands(program)
const server = 'http://127.0.0.1:9'

test('it is said of every command whether it can ask a server, and what to do where it cannot', () => {
  for (const command of commands) expect(servingOf(wordsOf(command)), wordsOf(command)).toBeDefined()
})

test('help and docs/cli.md name exactly the commands that work on this machine alone', async () => {
  const asked = commands.map(wordsOf).filter((words) => servingOf(words)?.kind !== 'local')
  const alone = asked.filter((words) => servingOf(words)?.kind === 'beside')
  for (const words of alone) expect(thisMachine.has(words), words).toBe(true)
  for (const words of asked) if (!alone.includes(words)) expect(thisMachine.has(words), words).toBe(false)
  const help = (await treebootIn('/', '--help')).out.replaceAll(/\s+/g, ' ')
  expect(help).toContain(serverSentence())
  const rows = [...thisMachine].map(([words, why]) => `| \`treeboot ${words}\` | ${why} |`)
  expectGoldenPart(
    'docs/cli.md',
    'this-machine',
    ['| command | why, or what to do |', '| --- | --- |', ...rows].join('\n'),
  )
})

/** What a command wants beside that. */
const more: Readonly<Record<string, readonly string[]>> = {
  lookup: ['--tree', 'x'],
  install: ['x'],
  hold: ['x'],
  'guests install': ['x'],
  'guests hold': ['x'],
}

/** Enough words for each argument that a command needs. */
function wordsFor(words: string): string[] {
  const command = commands.find((each) => wordsOf(each) === words)
  const options = (command?.options ?? []).filter(({ mandatory }) => mandatory)
  return [
    ...words.split(' '),
    ...(command?.registeredArguments ?? [])
      .filter(({ required }) => required)
      .map(({ argChoices }) => argChoices?.[0] ?? (words.startsWith('jobs ') ? '1' : 'x=1')),
    ...(more[words] ?? []),
    ...options.flatMap(({ long, argChoices }) => [long ?? '', argChoices?.[0] ?? '1']),
  ]
}

const kinds = (kind: string) => commands.map(wordsOf).filter((words) => servingOf(words)?.kind === kind)

test.each(kinds('beside'))(
  '%s does nothing here when a server is named, and says what to do',
  async (words) => {
    const cwd = temporaryFolder()
    writeBelow(cwd, 'config.yaml', '')
    for (const [args, environment] of [
      [[...wordsFor(words), '--server', server], {}],
      [wordsFor(words), { TREEBOOT_SERVER: server }],
    ] as const) {
      const { code, out, err } = await treebootAt(cwd, args, { environment })
      expect([code, out]).toEqual([1, ''])
      expect(err).toMatch(new RegExp(`^treeboot: treeboot ${words} cannot ask a server \\(${server}\\): \\w`))
    }
  },
)

test.each([...kinds('served'), ...kinds('server-only')])(
  '%s asks the server that is named, and no files',
  async (words) => {
    const cwd = temporaryFolder()
    writeBelow(cwd, 'password', 'correct horse battery')
    // The beginning of a Debian package, or a table of guests.
    writeBelow(cwd, 'x=1', words.startsWith('guests') ? 'name\nweb01\n' : '!<arch>\n')
    const { out, err } = await treebootAt(
      cwd,
      [...wordsFor(words), ...(/accounts (add|set)/.test(words) ? ['--password-file', 'password'] : [])],
      { environment: { TREEBOOT_SERVER: server } },
    )
    expect(out).toBe('')
    expect(err).toContain(`${server} cannot be asked`)
  },
)

test('files that are named win over a server of the environment, and both at once are refused', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: { web01: {} }\n')
  const args = ['guests', '-c', 'config.yaml']
  expect((await treebootAt(cwd, args, { environment: { TREEBOOT_SERVER: server } })).out).toContain('web01')
  expect(await treebootIn(cwd, ...args, '--server', server)).toMatchObject({
    code: 2,
    err: expect.stringContaining('--config names files of this machine, and --server another'),
  })
  expect((await treebootIn(cwd, 'inspect', 'x', '--server', server)).err).toContain('no use for --server')
  expect((await treebootIn(cwd, 'guests', '--server', 'mirror:8080')).err).toContain(
    'such as http://mirror:8080',
  )
  // Before the command, and before the word of its group.
  for (const words of [
    ['--server', server, 'guests'],
    ['guests', '--server', server, 'show', 'web01'],
  ])
    expect((await treebootIn(cwd, ...words)).err).toContain(`${server} cannot be asked`)
})

test.each([
  [['guests', 'show', 'nope'], 'not-found', 3],
  [['guests', '--nope'], 'bad-request', 2],
  [['nope'], 'bad-request', 2],
  [['lookup', '--tree', 'nope'], 'not-found', 3],
  [['accounts', '--server', 'http://127.0.0.1:9'], 'unavailable', 1],
])(
  'with --json the error of %j is a problem document on the last line of standard error',
  async (args, kind, exit) => {
    const cwd = temporaryFolder()
    writeBelow(cwd, 'config.yaml', 'guests: { web01: {} }\n')
    const { code, out, err } = await treebootIn(cwd, ...args, '--json')
    expect([code, out]).toEqual([exit, ''])
    const problem = JSON.parse(err.trimEnd().split('\n').at(-1) ?? '')
    expect(problem).toMatchObject({
      error: kind,
      type: `/api/docs#problem-${kind}`,
      detail: expect.any(String),
    })
    const words = await treebootIn(cwd, ...args)
    expect(words.err).toContain(problem.detail.split('\n')[0])
  },
)

test('a wrong configuration is told with each fault by itself', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'nonsense: 1\nguests: { web01: { mac: x } }\n')
  const { code, err } = await treebootIn(cwd, 'guests', '--json')
  expect(code).toBe(2)
  expect(JSON.parse(err)).toMatchObject({
    error: 'invalid-data',
    errors: [
      { field: 'nonsense', where: expect.stringContaining('config.yaml:1') },
      { field: 'guests.web01.mac', where: expect.stringContaining('config.yaml:2') },
    ],
  })
})

test('--quiet leaves results and errors', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: { web01: { vars: { password: x } } }\n')
  expect((await treebootIn(cwd, 'guests', 'export')).err).toContain('1 secret left out')
  expect(await treebootIn(cwd, 'guests', 'export', '-q')).toEqual({
    ...(await treebootIn(cwd, 'guests', 'export')),
    err: '',
  })
  expect((await treebootIn(cwd, '-q', 'guests', 'show', 'nope')).err).toMatch(/^treeboot: no guest nope/)
})

test('states have colours on a terminal, and none with --no-color', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: { web01: {} }\n')
  const at = (...args: string[]) => treebootAt(cwd, args, { color: true })
  await at('local', 'web01')
  expect((await at('guests')).out).toContain('\x1b[2mlocal\x1b[0m  ')
  for (const args of [
    ['guests', '--no-color'],
    ['--no-color', 'guests'],
    ['guests', '--no-color', 'show', 'web01'],
  ])
    expect((await at(...args)).out).not.toContain('\x1b')
})

test('the exit codes are one table', async () => {
  const { out } = await treebootIn('/', 'help', 'exit-codes')
  for (const [code, text] of Object.entries(exitCodeTexts)) {
    expect(out).toContain(`${code}  ${text}`)
    expect(documentText('docs/cli.md')).toContain(`| ${code} | ${text} |`)
  }
  expect((await treebootIn('/', 'help', 'guests', 'show')).out).toContain('Usage: treeboot guests show')
  expect((await treebootIn('/', 'help', 'gusts')).code).toBe(3)
})

test('what can ask a server is a command', () => {
  const known = new Set(commands.map(wordsOf))
  for (const words of namedCommands) expect(known.has(words), words).toBe(true)
})

test.each([
  ['trees import', 'import'],
  ['trees mirror', 'mirror'],
  ['trees verify', 'verify'],
  ['guests install', 'install'],
  ['guests local', 'local'],
  ['guests hold', 'hold'],
])('%s is the same as %s', (long, short) => {
  const named = (words: string) => commands.find((each) => wordsOf(each) === words)
  const [one, other] = [named(long), named(short)]
  expect(one?.description()).toBe(other?.description())
  expect(one?.options.map(({ flags }) => flags)).toEqual(other?.options.map(({ flags }) => flags))
})

test('a command of a group takes its own options and those of all commands, wherever they stand', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'other.yaml', 'guests: { web01: {}, web02: {} }\n')
  const held = await treebootIn(cwd, 'guests', '-c', 'other.yaml', 'hold', '--all', '--json')
  expect(JSON.parse(held.out)).toMatchObject([{ state: 'held' }, { state: 'held' }])
  writeBelow(cwd, 'config.yaml', 'paths: { trees: trees }\n')
  makeTree(join(cwd, 'from'), { version: '40' })
  makeTree(join(cwd, 'trees/other'), { version: '41' })
  for (const round of [1, 2]) {
    const { out } = await treebootIn(cwd, 'trees', 'import', 'from', '--id', 'f40', '--json')
    expect(JSON.parse(out.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      event: 'published',
      id: 'f40',
      version: round,
    })
  }
  expect((await treebootIn(cwd, 'trees', 'verify', 'f40', '--no-packages')).out).toMatch(/^f40: whole/m)
  const rm = (version: string, ...more: string[]) =>
    treebootIn(cwd, 'trees', 'rm', 'f40', '--version', version, ...more)
  expect(await rm('1', '--now')).toMatchObject({ code: 2, err: expect.stringContaining('give --yes') })
  expect(await rm('2', '--yes')).toMatchObject({
    code: 1,
    err: expect.stringContaining('is the current one'),
  })
  expect(await rm('7', '--yes')).toMatchObject({ code: 3, err: expect.stringContaining('it has 1, 2') })
  expect(await rm('x', '--yes')).toMatchObject({ code: 2 })
  expect(await rm('1', '--yes')).toMatchObject({
    code: 1,
    err: expect.stringContaining('less than a day ago'),
  })
  expect(await rm('1', '--yes', '--now')).toMatchObject({ code: 0, out: 'f40: version 1 is removed\n' })
  expect((await treebootIn(cwd, 'trees', 'rm', 'other', '--version', '1', '--yes')).err).toMatch(
    /did not publish it/,
  )
})
