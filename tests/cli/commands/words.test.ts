import { expect, test } from 'vitest'
import { stepText } from '../../../server/api/views.ts'
import { describeEvent } from '../../../server/events/log.ts'
import { treebootIn } from '../../support/cli.ts'
import { temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

const step = { client: '' }

test('a list of guests that is cut says how many more there are', async () => {
  const cwd = temporaryFolder()
  const guests = Array.from({ length: 46 }, (_, n) => `  node${n}: { mac: "52:54:00:00:00:${n + 10}" }\n`)
  writeBelow(cwd, 'config.yaml', `guests:\n${guests.join('')}`)
  const { code, err } = await treebootIn(cwd, 'guests', 'show', 'zzzzzz')
  expect(code).toBe(3)
  expect(err).toMatch(/guests: node0, .*node19 and 26 more\n$/)
})

test('an order says what the guest was in words', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: { web01: {} }\n')
  await treebootIn(cwd, 'install', 'web01')
  expect((await treebootIn(cwd, 'local', 'web01')).out).toMatch(/^web01 was to be installed since \d{4}-/)
  expect((await treebootIn(cwd, 'hold', 'web01')).out).toMatch(/^web01 was local since \d{4}-/)
})

test.each([
  ['install', '--held', 'web01', '--yes'],
  ['install', '--held', '--take-back'],
  ['hold', '--all', 'web01'],
])('%s %s beside what it does not mean changes nothing: %s', async (...args) => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: { web01: {}, web02: {} }\n')
  await treebootIn(cwd, 'local', 'web01')
  const before = JSON.parse((await treebootIn(cwd, 'guests', '--json')).out)
  const { code, err } = await treebootIn(cwd, ...args)
  expect([code, err]).toEqual([2, expect.stringContaining(args[1] ?? '')])
  expect(JSON.parse((await treebootIn(cwd, 'guests', '--json')).out)).toEqual(before)
})

test('an order that installs nothing does not say that it does so once', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: { web01: { tree: nowhere } }\n')
  expect((await treebootIn(cwd, 'install', 'web01')).out).toMatch(
    /its next network boot installs nothing: there is no tree "nowhere"$/m,
  )
})

test.each([
  ['nowhere', /^nowhere does not exist$/m],
  ['config.yaml/x', /^config.yaml\/x does not exist$/m],
  ['http://mirror/x.iso', /does not exist; .*treeboot import http:\/\/mirror\/x.iso/],
  ['', /the path is empty/],
  ['empty.iso', /^empty.iso is not an image of a disc: it has 0 bytes/],
  ['boot-records.iso', /expected the primary volume descriptor of ISO 9660 .*, found none$/m],
])('inspect says of %j what is wrong', async (path, words) => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', '')
  writeBelow(cwd, 'empty.iso', '')
  const records = `\0CD001\x01${'\0'.repeat(2041)}`.repeat(70)
  writeBelow(cwd, 'boot-records.iso', '\0'.repeat(32768) + records)
  const { code, err } = await treebootIn(cwd, 'inspect', path)
  expect([code, err]).toEqual([2, expect.stringMatching(words)])
})

test('check and trees tell of a damaged image, in one line', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', '')
  writeBelow(cwd, 'trees/f40.iso', '')
  writeBelow(cwd, 'trees/f41.iso', '\xff'.repeat(100_000))
  const { code, out } = await treebootIn(cwd, 'check')
  expect(code).toBe(2)
  expect(out).toMatch(/^ERROR {4}trees\/f40: f40\.iso is empty: copy it again$/m)
  expect(out).toMatch(/^ERROR {4}trees\/f41: f41\.iso is not a readable image of a disc: copy it again /m)
  const { out: trees } = await treebootIn(cwd, 'trees')
  expect(trees).toMatch(/^broken +f40 +-$/m)
  expect(trees).toMatch(/^f40: f40\.iso is empty: copy it again$/m)
})

test('explain of a mistyped guest names the guest', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: { web01: {} }\n')
  expect((await treebootIn(cwd, 'explain', 'web1')).err).toMatch(
    /no guest or machine "web1" \(did you mean web01\?\)/,
  )
})

test.each([
  ['trees/f40', /no guest or machine "trees\/f40"; .* such as \/trees\/f40$/m],
  ['', /no guest or machine ""; expected the name of a guest .* or a path that begins with a slash/],
  ['52:54:00:aa:bb', /no guest or machine "52:54:00:aa:bb"/],
])('explain of %j, which names no machine, shows no plan of an unknown one', async (asked, words) => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: { web01: {} }\n')
  const { code, out, err } = await treebootIn(cwd, 'explain', asked)
  expect([code, out, err]).toEqual([3, '', expect.stringMatching(words)])
})

test('explain of the MAC address of an unknown machine shows its plan', async () => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', 'guests: { web01: {} }\n')
  const { code, out, err } = await treebootIn(cwd, 'explain', '52:54:00:aa:bb:09')
  expect([code, out, err]).toEqual([
    3,
    expect.stringMatching(/^plan /m),
    expect.stringContaining('above is what an unknown machine gets'),
  ])
})

test.each([
  [[], /nothing asked: expected --tree ID, or any of --distro, --version, .* or --guest, --mac or --uuid$/m],
  [['--tree', 'x', '--arch', 'i386'], /--tree x names one tree; --arch cannot narrow it/],
  [['--mac', 'zz'], /--mac zz: expected six bytes/],
  [['--uuid', '1'], /--uuid 1: expected a UUID/],
  [['--distro', 'fedora', '--virt', 'xen'], /--virt xen: expected hvm or pv/],
])('lookup %j speaks of its own options', async (args, words) => {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', '')
  const { code, err } = await treebootIn(cwd, 'lookup', ...args)
  expect([code, err]).toEqual([2, expect.stringMatching(words)])
})

test('a variable of many guests that no template reads is told once', async () => {
  const cwd = temporaryFolder()
  const guests = ['a', 'b', 'c'].map((name) => `  ${name}: { template: t.ks, vars: { rack: 1 } }\n`)
  writeBelow(cwd, 'config.yaml', `guests:\n${guests.join('')}`)
  writeBelow(cwd, 'kickstart-templates/t.ks', 'text\n')
  const problems: { message: string }[] = JSON.parse((await treebootIn(cwd, 'check', '--json')).out)
  expect(problems.map(({ message }) => message).filter((message) => message.includes('rack'))).toEqual([
    expect.stringMatching(/^guest a .* and 2 more: no template reads the variable rack$/),
  ])
})

test('what an installer says is told alike', () => {
  expect(stepText({ ...step, step: 'progress', detail: 'partitioning' })).toBe(
    'its installer says: partitioning',
  )
  expect(stepText({ ...step, step: 'failed', detail: 'no disk' })).toBe('its installer says: failed, no disk')
  expect(stepText({ ...step, step: 'installed', detail: '' })).toBe('its installer says: installed')
})

test.each([
  [{ guest: 'web01', machine: '52:54:00:aa:bb:01' }, 'http 10.0.0.7 (web01) boots: menu of 2 trees'],
  [{ machine: '52:54:00:aa:bb:01' }, 'http 10.0.0.7 (52:54:00:aa:bb:01) boots: menu of 2 trees'],
  [{}, 'http 10.0.0.7 boots: menu of 2 trees'],
])('the log names the machine that boots: %j', (named, text) => {
  const event = { type: 'boot', protocol: 'http', client: '10.0.0.7', decision: 'menu of 2 trees' } as const
  expect(describeEvent({ ...event, ...named }).text).toBe(text)
})
