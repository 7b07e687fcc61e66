import { describe, expect, test } from 'vitest'
import type { Data, Filter } from '../../../server/templates/filters/filter.ts'
import { shaCrypt } from '../../../server/templates/filters/sha-crypt.ts'
import { ownFilters } from '../../../server/templates/filters/table.ts'

interface Given {
  readonly args?: readonly Data[]
  readonly options?: Record<string, Data>
}

function apply(name: string, value: Data, { args = [], options = {} }: Given = {}): Data {
  return (ownFilters[name] as Filter).run({ value, args, options, seed: 'web01' })
}

describe('filters', () => {
  test.each<[string, Data, Given, Data]>([
    ['b64encode', 'grüße', {}, 'Z3LDvMOfZQ=='],
    ['b64decode', 'Z3LDvMOfZQ==', {}, 'grüße'],
    ['regex_replace', 'ansible', { args: ['^a.*i(.*)$', 'a\\1'] }, 'able'],
    ['regex_replace', 'aaa', { args: ['a', 'b'], options: { count: 2 } }, 'bba'],
    ['regex_replace', 'Foo foo', { args: ['foo', 'x'], options: { ignorecase: true } }, 'x x'],
    ['regex_replace', 'a.b', { args: ['(?P<l>\\w)\\.(?P<r>\\w)', '\\g<r>.\\g<l>'] }, 'b.a'],
    ['regex_replace', 'price', { args: ['price', '$& $1 \\\\'] }, '$& $1 \\'],
    ['regex_search', 'server1/db42', { args: ['db([0-9]+)', '\\1'] }, '42'],
    ['regex_search', 'nothing', { args: ['x'] }, ''],
    ['regex_findall', 'a1 b2', { args: ['\\w\\d'] }, ['a1', 'b2']],
    ['regex_escape', 'a.b*c', {}, 'a\\.b\\*c'],
    ['regex_escape', 'a-b', {}, 'a-b'],
    ['quote', "it's $HOME", {}, `'it'\\''s $HOME'`],
    ['quote', 'plain-1.0', {}, 'plain-1.0'],
    ['ks_quote', 'a "b" \\ $c', {}, '"a \\"b\\" \\\\ $c"'],
    ['ks_quote', '', {}, '""'],
    ['xml_escape', '<a b="c">&', {}, '&#60;a b=&#34;c&#34;&#62;&#38;'],
    ['format', '%05.1f|%-4s|%04d|%x|%%', { args: [1.25, 'ab', 7, 255] }, '001.3|ab  |0007|ff|%'],
    ['basename', '/a/b/c.ks', {}, 'c.ks'],
    ['dirname', '/a/b/c.ks', {}, '/a/b'],
    ['dirname', '/a', {}, '/'],
    ['urlencode', 'a b/c&d', {}, 'a%20b/c%26d'],
    ['urlencode', { q: 'a b', r: 1 }, {}, 'q=a%20b&r=1'],
    ['bool', 'no', {}, false],
    ['bool', 'Yes', {}, true],
    ['bool', 0, {}, false],
    ['comment', 'a\n\nb', {}, '# a\n#\n# b'],
    ['to_json', { a: [1, null, 'x'] }, {}, '{"a":[1,null,"x"]}'],
    ['to_nice_json', { a: 1 }, {}, '{\n    "a": 1\n}'],
    ['from_json', '{"a":1}', {}, { a: 1 }],
    ['to_yaml', { a: ['x: y', true] }, {}, 'a:\n  - "x: y"\n  - true\n'],
    ['to_yaml', { a: { b: 1 } }, { options: { indent: 4 } }, 'a:\n    b: 1\n'],
    ['from_yaml', 'a: [1, yes]', {}, { a: [1, 'yes'] }],
    [
      'combine',
      { a: { b: 1 } },
      { args: [{ a: { c: 2 } }], options: { recursive: true } },
      { a: { b: 1, c: 2 } },
    ],
    ['combine', { a: { b: 1 } }, { args: [{ a: { c: 2 } }, { d: 3 }] }, { a: { c: 2 }, d: 3 }],
    ['dict2items', { a: 1 }, {}, [{ key: 'a', value: 1 }]],
    ['items2dict', [{ key: 'a', value: 1 }], {}, { a: 1 }],
    ['flatten', [1, [2, [3]]], { args: [1] }, [1, 2, [3]]],
    ['union', [1, 2], { args: [[2, 3]] }, [1, 2, 3]],
    ['intersect', [1, 2], { args: [[2, 3]] }, [2]],
    ['difference', [1, 2], { args: [[2, 3]] }, [1]],
    ['ternary', true, { args: ['a', 'b'] }, 'a'],
    ['ternary', '', { args: ['a', 'b'] }, 'b'],
    ['mandatory', 'x', {}, 'x'],
    ['one_of', 'lvm', { args: [['plain', 'lvm'], 'filesystem'] }, 'lvm'],
    ['hash', 'a', { args: ['sha256'] }, 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb'],
    ['hash', 'a', {}, '86f7e437faa5a7fce15d1ddcb9eaeaea377667b8'],
    ['ipaddr', '10.1.2.3/20', { args: ['network'] }, '10.1.0.0'],
    ['ipaddr', '10.1.2.3/20', { args: ['netmask'] }, '255.255.240.0'],
    ['ipaddr', '10.1.2.3/255.255.240.0', { args: ['prefix'] }, 20],
    ['ipaddr', '10.1.2.3/20', { args: ['broadcast'] }, '10.1.15.255'],
    ['ipaddr', '10.1.2.3/20', { args: ['network/prefix'] }, '10.1.0.0/20'],
    ['ipaddr', '10.1.2.3', { args: ['netmask'] }, '255.255.255.255'],
    ['ipaddr', '10.1.2.3/255.0.255.0', { args: ['prefix'] }, false],
    ['ipaddr', 'mirror.example', {}, false],
    ['ipaddr', 'fd00:1::ffff:10.0.0.1/64', { args: ['network/prefix'] }, 'fd00:1::/64'],
    ['ipaddr', 'fd00:0:0:1:0:0:0:1', { args: ['address'] }, 'fd00:0:0:1::1'],
    ['ipaddr', '::', { args: ['address'] }, '::'],
    ['ipv4', 'fd00::1', {}, false],
    ['ipv6', 'fd00::1', {}, 'fd00::1'],
    ['hwaddr', '5254.00AA.BB01', { args: ['pxe'] }, '01-52-54-00-aa-bb-01'],
    ['hwaddr', '52:54:00:aa:bb:01', { args: ['cisco'] }, '5254.00aa.bb01'],
  ])('%s of %j with %j', (name, value, given, expected) => {
    expect(apply(name, value, given)).toEqual(expected)
  })

  test.each<[string, Data, Data[], RegExp]>([
    ['b64encode', null, [], /text.*none/],
    ['ks_quote', 'a\nb', [], /control character 10/],
    ['one_line', 'a\nd-i x/y boolean true', [], /control character 10/],
    ['one_line', 'a\\', [], /backslash/],
    ['mandatory', '', ['no disk'], /^no disk$/],
    ['one_of', 'xfs', [['a', 'b', 'c'], 'filesystem'], /^filesystem is 'xfs', expected a, b or c$/],
    ['one_of', 'A', [['a']], /^value is 'A', expected a$/],
    ['one_of', 'a', ['a'], /list.*string/],
    ['combine', [1], [{}], /mapping.*list/],
    ['hash', 'x', ['rot13'], /rot13/],
    ['password_hash', 'x', ['sha512', 'bad salt!'], /a salt of/],
    ['password_hash', 'x', ['sha512', 'salt', null, 656_001], /1000 to 656000/],
    ['password_hash', 'x', ['sha512', null, 17], /salt_size/],
    ['regex_search', 'x', ['(?x) a'], /cannot read the pattern/],
    ['zip', [1], ['x'], /list.*string/],
    ['hwaddr', 'web01', [], /6 bytes/],
    ['ipaddr', '10.0.0.1', ['color'], /color/],
    ['format', '%s %s', ['a'], /fewer/],
  ])('%s refuses %j', (name, value, args, message) => {
    expect(() => apply(name, value, { args })).toThrow(message)
  })
})

test('a hash that would outlast the rendering says so, with its rounds and what to do', () => {
  const call = { value: 'x', args: ['sha512', 'late', null, 20_000], options: {}, seed: '' }
  expect(() => ownFilters.password_hash?.run({ ...call, deadlineMs: performance.now() })).toThrow(
    /20000 rounds.*mkpasswd/,
  )
  expect(ownFilters.password_hash?.run(call)).toContain('$6$rounds=20000$late$')
})

describe('SHA-crypt', () => {
  interface Salt {
    readonly salt: string
    readonly rounds?: number
  }
  // The expected values are from crypt(3) of glibc 2.36.
  test.each<['sha256' | 'sha512', string, Salt, string]>([
    [
      'sha512',
      'Hello world!',
      { salt: 'saltstring' },
      '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    [
      'sha512',
      'Hello world!',
      { salt: 'saltstringsaltst', rounds: 10000 },
      '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
    ],
    [
      'sha512',
      'the minimum',
      { salt: 'low', rounds: 1000 },
      '$6$rounds=1000$low$Iy513GucbykdLW61IY14J4IXMExsXfjKFp2Xy1YT6aTkbj.FaniBqFIGXVKiM3oPaYADzwTZXOiMVgDNYYZ7k/',
    ],
    [
      'sha512',
      '',
      { salt: 'abc' },
      '$6$abc$mJP3a6FyA8uCnzRtlnNypPwjnvpi5TP9qOrInzrfDmwxUQG38PkpCPdqfTb8JQfAngapMxeim4AZ..hSdRRzD.',
    ],
    [
      'sha512',
      'pässwörd that is quite a bit longer than sixty-four bytes, to walk all the branches of it',
      { salt: './0az' },
      '$6$./0az$U1whA021Og2SHD0LkYd.SProKncBTYesV0XSY8YbgiZsZlOaopqKc5BfzPT2.pomH/ocgUqwhq0HwBZqZeRSd1',
    ],
    [
      'sha256',
      'Hello world!',
      { salt: 'saltstring' },
      '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5',
    ],
    [
      'sha256',
      'Hello world!',
      { salt: 'saltstringsaltst', rounds: 10000 },
      '$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA',
    ],
    ['sha256', '', { salt: 'abc' }, '$5$abc$bBHLwRRW2Li0XKaX13kz/g2fkDil4Jx46aNvd.48MS8'],
    [
      'sha256',
      'pässwörd that is quite a bit longer than sixty-four bytes, to walk all the branches of it',
      { salt: './0az' },
      '$5$./0az$1e8eNs7hoHRXGCQYh7k4/9cgPactTstBtwt/99HGZt9',
    ],
  ])('%s of %j with %j', (kind, password, { salt, rounds }, expected) => {
    expect(shaCrypt(kind, password, salt, { rounds })).toBe(expected)
  })

  test('a salt is cut at 16 bytes, too few rounds are raised to 1000', () => {
    expect(shaCrypt('sha512', 'x', 'saltstringsaltstring', { rounds: 10 })).toBe(
      shaCrypt('sha512', 'x', 'saltstringsaltst', { rounds: 1000 }),
    )
  })
})
