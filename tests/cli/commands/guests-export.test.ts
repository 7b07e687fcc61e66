import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { YamlMapping } from '../../../server/config/yaml.ts'
import { guestsCsv } from '../../../server/definitions/csv-guests.ts'
import { parseCsvGuests } from '../../../server/definitions/import/csv-entries.ts'
import { withoutSecrets } from '../../../server/definitions/secrets.ts'
import { treebootIn } from '../../support/cli.ts'
import { runs } from '../../support/fuzz.ts'
import { stating } from '../../support/stating.ts'
import { temporaryFolder, writeBelow } from '../../support/tree-folder.ts'

const config = `
profiles:
  base: { vars: { timezone: Etc/UTC, rootpw: secret1 } }
  web-1: { inherits: base }
guests:
  web01:
    mac: [52:54:00:aa:bb:01, 52:54:00:aa:bb:02]
    ip: 10.0.0.7
    profile: web-1
    args: [quiet, inst.sshpw=secret2, 'wpa="$6$secret3"']
    vars: { motd: "{{ x }}", list: [a, "b;c"], user: { password: secret4, name: joe }, crypted: $6$secret5, keyboard: de }
  bare: {}
`

function home() {
  const cwd = temporaryFolder()
  writeBelow(cwd, 'config.yaml', config)
  writeBelow(
    cwd,
    'guests.d/web02.yaml',
    '# a comment\nserial: "0012"\ntree: { distro: fedora, version: "40" }\n',
  )
  return { cwd, treeboot: (...args: string[]) => treebootIn(cwd, 'guests', 'export', ...args) }
}

test('CSV has the definitions as they are written, and import finds them unchanged', async () => {
  const { cwd, treeboot } = home()
  const { code, out, err } = await treeboot()
  expect(code).toBe(0)
  expect(out.split('\r\n')).toEqual([
    'name,mac,uuid,serial,ip,profile,tree,template,args,tree.distro,tree.version,vars.keyboard,vars.list,vars.motd,vars.user',
    'web01,52:54:00:aa:bb:01;52:54:00:aa:bb:02,,,10.0.0.7,web-1,,,quiet,,,de,"[""a"",""b;c""]","""{{ x }}""","{""name"":""joe""}"',
    'bare,,,,,,,,,,,,,,',
    'web02,,,0012,,,,,,fedora,40,,,,',
    '',
  ])
  expect(err).toMatch(stating('4 secrets left out', '--with-secrets'))
  const whole = await treeboot('--with-secrets')
  expect(whole.err).toBe('')
  writeFileSync(join(cwd, 'all.csv'), whole.out)
  expect((await treebootIn(cwd, 'guests', 'import', 'all.csv')).out).toMatch(stating('3 unchanged'))
})

test('no format has a secret unless it is asked for', async () => {
  const { treeboot } = home()
  for (const as of [['csv'], ['json'], ['ansible'], ['ansible', '--list'], ['ansible', '--host', 'web01']]) {
    expect((await treeboot('--as', ...as)).out).not.toContain('secret')
    expect((await treeboot('--as', ...as, '--with-secrets')).out).toContain('secret4')
  }
})

test('JSON is an array of definitions with their names, of the guests that are named', async () => {
  const { treeboot } = home()
  const { out } = await treeboot('--as', 'json', 'web02', 'bare')
  expect(JSON.parse(out)).toEqual([
    { name: 'web02', serial: '0012', tree: { distro: 'fedora', version: '40' } },
    { name: 'bare' },
  ])
})

test('a dynamic inventory has hosts, groups of profiles, and the variables of all', async () => {
  const { treeboot } = home()
  const list = JSON.parse((await treeboot('--as', 'ansible', '--list')).out)
  expect(list).toMatchObject({
    _meta: { hostvars: { web01: { ansible_host: '10.0.0.7', timezone: 'Etc/UTC', keyboard: 'de' } } },
    all: { children: ['ungrouped', 'base', 'web_1'] },
    ungrouped: { hosts: ['bare', 'web02'] },
    base: { hosts: [], children: ['web_1'] },
    web_1: { hosts: ['web01'], children: [] },
  })
  expect(list._meta.hostvars.web01.motd).toEqual({ __ansible_unsafe: '{{ x }}' })
  const host = JSON.parse((await treeboot('--as', 'ansible', '--host', 'web01')).out)
  expect(host).toEqual(list._meta.hostvars.web01)
})

test.each([
  [['none'], 3, ['no guest none']],
  [['--list'], 2, ['--as ansible']],
  [['--as', 'ansible', '--host', 'none'], 3, ['no guest none']],
])('%j is refused', async (args, code, facts) => {
  const found = await home().treeboot(...args)
  expect(found.code).toBe(code)
  expect(found.err).toMatch(stating(...facts))
})

test('whatever is in a definition, CSV is read as the same data', () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '12',
      '012',
      '9.10',
      'true',
      'null',
      'a;b',
      ' a',
      '"',
      '[',
      '{',
      '',
      'a\nb',
      '-1',
      '1e3',
      ',',
      '=1+1',
    ),
  )
  const leaf = fc.oneof(text, fc.boolean(), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))
  const value = fc.oneof(
    leaf,
    fc.array(leaf),
    fc.dictionary(text, fc.oneof(leaf, fc.array(leaf)), { noNullPrototype: true }),
  )
  const name = fc.string({ minLength: 1, unit: fc.constantFrom('a', '.', '_', ' ', 'b') })
  fc.assert(
    fc.property(fc.dictionary(name, value, { minKeys: 1, noNullPrototype: true }), (vars) => {
      const data = JSON.parse(JSON.stringify({ vars, args: ['a', 'b=1'] })) as YamlMapping
      const [entry] = parseCsvGuests(guestsCsv([{ name: 'a', data }]))
      const settings = entry?.result === 'found' ? entry.machine.settings : entry
      expect(JSON.parse(JSON.stringify(settings))).toEqual(data)
    }),
    { numRuns: runs(2000) },
  )
})

test.each([
  ['keyboard', 'de', 0],
  ['monkey', 'x', 1],
  ['api-token', 'x', 1],
  ['keymap', 'x', 0],
  ['root_password', 'x', 1],
  ['wpa_key', 'x', 1],
  ['pwm', 'x', 0],
  ['note', '$6$salt$digest', 1],
])('%s=%s counts as %i secrets', (name, value, left) => {
  expect(withoutSecrets({ vars: { [name]: value } })).toEqual({
    data: left === 1 ? {} : { vars: { [name]: value } },
    left,
  })
})
