/**
 * What people write who know Jinja2 and Ansible, and what holds here. tests/templates/language.test.ts renders
 * each row, and writes the table of kickstart-templates/README.md from it.
 */
export interface JinjaRow {
  readonly write: string
  /** What the renderer makes of it. Undefined where it is an error of the template. */
  readonly gives?: string
  /** The remedy that the error names, in full. */
  readonly instead?: string
}

const gives = (write: string, text: string): JinjaRow => ({ write, gives: text })
const refused = (write: string, instead: string): JinjaRow => ({ write, instead })

/** The variables of the rows. */
export const jinjaContext = {
  guest: { name: 'web01' },
  text: 'Hello World',
  empty: '',
  list: [3, 1, 2],
  words: ['b', 'a'],
  users: [
    { name: 'ann', size: 2 },
    { name: 'bob', size: 1 },
  ],
  map: { a: 2, b: 1 },
}

const engineRows: readonly JinjaRow[] = [
  gives("nope | default('x')", 'x'),
  gives("nope | default(default_value='x')", 'x'),
  gives("nope.deep | d('x')", 'x'),
  gives("empty | default('x', true)", 'x'),
  gives("empty | default('x', boolean=true)", 'x'),
  refused("nope | default(defualt='x')", 'its arguments are default_value, boolean'),
  gives('-2 | abs', '2'),
  gives("map | attr('a')", '2'),
  gives("list | batch(2, fill_with='x')", '[[3, 1], [2, "x"]]'),
  gives("list | slice(2, fill_with='x')", '[[3, 1], [2, "x"]]'),
  gives("'aB' | capitalize ~ ('a b' | title) ~ ('aB' | lower) ~ ('aB' | upper)", 'AbA BabAB'),
  gives("'<a>' | center(7)", '  <a>  '),
  gives('map | dictsort', '[["a", 2], ["b", 1]]'),
  gives("map | dictsort(false, 'value')", '[["b", 1], ["a", 2]]'),
  gives("map | dictsort(by='value', reverse=true)", '[["a", 2], ["b", 1]]'),
  gives("'<a>' | e", '&lt;a&gt;'),
  gives('1000 | filesizeformat', '1.0 kB'),
  gives('words | first ~ (words | last) ~ (words | length) ~ (words | count)', 'ba22'),
  gives("'1.5' | float", '1.5'),
  gives("'x' | float(default=0.5)", '0.5'),
  gives("users | groupby(attribute='name') | map('first') | join(',')", 'ann,bob'),
  gives("'a\\nb' | indent(width=2)", 'a\n  b'),
  gives("'a\\nb' | indent(2, first=true)", '  a\n  b'),
  gives("'42' | int", '42'),
  refused("'x' | int", 'write int(default=0), or float(default=0), for texts that may be none'),
  gives("'x' | int(default=5)", '5'),
  gives("'1f' | int(base=16)", '31'),
  gives('map | items | list', '[["a", 2], ["b", 1]]'),
  gives("words | join(d=',')", 'b,a'),
  gives("users | join(',', attribute='name')", 'ann,bob'),
  gives("users | map(attribute='name') | list", '["ann", "bob"]'),
  gives("users | map(attribute='x', default='y') | join", 'yy'),
  gives("words | map('regex_replace', 'b', 'c') | join", 'ca'),
  refused(
    "words | map('regex_replace', 'b', replacement='c')",
    "give the arguments of the inner filter by position: map('regex_replace', 'a', 'b')",
  ),
  gives('list | min ~ (list | max)', '13'),
  refused("users | max(attribute='size')", "write map(attribute='name') before it, without an argument"),
  refused(
    'list | random',
    'there is no randomness: the same guest gets the same file. Set a var of the guest',
  ),
  gives("words | reject('equalto', 'b') | join", 'a'),
  gives("users | rejectattr('name', 'in', ['bob']) | map(attribute='name') | join", 'ann'),
  gives("text | replace(old='l', new='L')", 'HeLLo WorLd'),
  gives("text | replace('l', 'L', 1)", 'HeLlo World'),
  gives("words | reverse | join ~ ('ab' | reverse)", 'abba'),
  gives('2.345 | round(precision=2)', '2.35'),
  gives("2.345 | round(1, 'floor')", '2.3'),
  gives("2.5 | round(method='ceil')", '3'),
  gives("words | select('in', ['a']) | join", 'a'),
  gives("users | selectattr('size', '>', 1) | map(attribute='name') | join", 'ann'),
  gives("users | selectattr('name', 'match', '^b') | map(attribute='name') | join", 'bob'),
  gives('words | sort(reverse=true) | join', 'ba'),
  gives("users | sort(attribute='size') | map(attribute='name') | join", 'bobann'),
  gives('list | sort(true) | join', '321'),
  gives("5 | string ~ ('ab' | list)", '5["a", "b"]'),
  gives("'<b>x</b>' | striptags", 'x'),
  gives("list | sum ~ (users | sum(attribute='size'))", '63'),
  gives('list | sum(start=10)', '16'),
  gives('map | tojson(indent=2)', '{\n  "a": 2,\n  "b": 1\n}'),
  gives("'--a--' | trim(chars='-') ~ (' a ' | trim)", 'aa'),
  gives("text | truncate(5, true, '')", 'Hello'),
  gives("text | truncate(length=8, end='..', leeway=0)", 'Hello..'),
  gives("['a', 'A'] | unique | join ~ (['a', 'A'] | unique(case_sensitive=true) | join)", 'aaA'),
  gives("'a b' | urlencode ~ (text | wordcount)", 'a%20b2'),
  refused("'a' | upper(1)", 'write upper without arguments'),
  refused('text | wordwrap(5)', 'break the lines in the template'),
  refused("'a' | urlize", 'answer files have no links'),
  refused('map | xmlattr', 'write name="{{ value | xml_escape }}" for each attribute'),
  refused("'a' | forceescape", 'write xml_escape'),
]

const ansibleRows: readonly JinjaRow[] = [
  gives('text | ansible.builtin.b64encode', 'SGVsbG8gV29ybGQ='),
  gives("'10.0.0.7/24' | ansible.utils.ipaddr('netmask')", '255.255.255.0'),
  gives("'SGk=' | b64decode", 'Hi'),
  gives("'/a/b.c' | basename ~ ('/a/b.c' | dirname) ~ ('/a/b.c' | splitext)", 'b.c/a["/a/b", ".c"]'),
  gives("['/etc', 'x', 'y'] | path_join", '/etc/x/y'),
  gives("'no' | bool", 'false'),
  gives("map | combine({'b': {'x': 1}}, recursive=true)", '{"a": 2, "b": {"x": 1}}'),
  gives("{'l': [1]} | combine({'l': [2]}, list_merge='append')", '{"l": [1, 2]}'),
  gives("'a' | comment", '# a'),
  gives("'a' | comment('c') ~ ('a' | comment(decoration='; '))", '// a; a'),
  gives('map | dict2items | first', '{"key": "a", "value": 2}'),
  gives("map | dict2items(key_name='k', value_name='v') | first", '{"k": "a", "v": 2}'),
  gives("[{'n': 'x', 'v': 1}] | items2dict(key_name='n', value_name='v')", '{"x": 1}'),
  gives('[1, 2] | union([2, 3]) ~ ([1, 2] | intersect([2])) ~ ([1, 2] | difference([2]))', '[1, 2, 3][2][1]'),
  gives('[1, 2] | symmetric_difference([2, 3])', '[1, 3]'),
  gives('[1, [2, [3]]] | flatten ~ ([1, [2, [3]]] | flatten(levels=1))', '[1, 2, 3][1, 2, [3]]'),
  gives("'{\"a\": 1}' | from_json ~ ('a: 1' | from_yaml)", '{"a": 1}{"a": 1}'),
  gives('map | to_json ~ (map | to_nice_json(indent=1))', '{"a":2,"b":1}{\n "a": 2,\n "b": 1\n}'),
  gives('map | to_yaml', 'a: 2\nb: 1\n'),
  gives("'a' | hash('md5') == ('a' | md5)", 'true'),
  gives("text | mandatory(msg='set text')", 'Hello World'),
  refused(
    "nope | mandatory(msg='set nope')",
    "set it in vars of the guest or its profile, or write {{ nope | default('...') }}",
  ),
  gives(
    "'pw' | password_hash('sha512', 'salt', rounds=1000) | truncate(20, true, '')",
    '$6$rounds=1000$salt$',
  ),
  gives("'pw' | password_hash(salt_size=8) | length", '98'),
  refused("'pw' | password_hash(ident='2b')", 'its arguments are hashtype, salt, salt_size, rounds'),
  gives('"it\'s" | quote', "'it'\\''s'"),
  gives("'xFoo' | regex_replace('(?i)foo', 'y')", 'xy'),
  gives("'aab' | regex_replace(pattern='a', replacement='x', count=1)", 'xab'),
  gives("'db42' | regex_search('db([0-9]+)', '\\\\1')", '42'),
  gives("'a1' | regex_search('(.)(.)', '\\\\1', '\\\\2')", '["a", "1"]'),
  gives("'a1 b2' | regex_findall('\\\\d') ~ ('a1' | regex_findall('(.)(.)'))", '["1", "2"][["a", "1"]]'),
  gives("'a.b' | regex_escape", 'a\\.b'),
  gives("'a,b,c' | split(',') ~ ('a,b,c' | split(',', maxsplit=1))", '["a", "b", "c"]["a", "b,c"]'),
  gives("true | ternary('a', 'b') ~ (false | ternary(true_val='a', false_val='b'))", 'ab'),
  gives('words | zip(list) | list', '[["b", 3], ["a", 1]]'),
  gives("words | zip_longest(list, fillvalue='x') | last", '["x", 2]'),
  refused('words | product(list)', 'write {% for %} inside of {% for %}'),
  refused("users | subelements('x')", 'write {% for %} inside of {% for %}'),
  refused("map | json_query('a')", "write selectattr('name', 'equalto', value) and map(attribute='name')"),
  refused("'%Y' | strftime", 'there is no clock: the same guest gets the same file'),
  refused("lookup('env', 'HOME')", 'give the value in vars of the guest or its profile'),
]

const testRows: readonly JinjaRow[] = [
  gives('nope is defined ~ (nope is undefined)', 'falsetrue'),
  gives("text is match('World') ~ (text is search('World')) ~ (text is regex('W.r'))", 'falsetruetrue'),
  gives("text is match 'hello' ~ (text is match('hello', ignorecase=true))", 'falsetrue'),
  gives("text is ansible.builtin.match('Hello')", 'true'),
  gives("'9.10' is version('9.4', '>=') ~ ('8' is version('10', '>='))", 'truefalse'),
  gives('list is contains(3) ~ ([1] is subset(list)) ~ (list is superset([1]))', 'truetruetrue'),
  gives('[1, 0] is any ~ ([1, 0] is all) ~ (empty is falsy) ~ (text is truthy)', 'truefalsetruetrue'),
  gives('3 is odd ~ (4 is even) ~ (4 is divisibleby 2) ~ (4 is divisibleby(3))', 'truetruetruefalse'),
  gives('text is string ~ (1 is number) ~ (map is mapping) ~ (list is sequence)', 'truetruetruetrue'),
  gives("1 is eq 1 ~ (1 is lt 2) ~ ('b' is in words) ~ (none is none)", 'truetruetruetrue'),
  refused('text is callable', 'README.md in the templates folder lists what holds of Jinja2 and Ansible'),
]

const pythonRows: readonly JinjaRow[] = [
  gives("map.get('a') ~ map.get('x', 'y')", '2y'),
  gives("map.get('x', {}).get('y', 'z')", 'z'),
  gives("'%s-%02d' % ('a', 7) ~ '%s' % text", 'a-07Hello World'),
  gives("'%(a)s' % map ~ ('%s' | format(1)) ~ ('%(n)s' | format(n=1))", '211'),
  gives("'{}-{:03d}-{x}'.format('a', 7, x=1)", 'a-007-1'),
  refused('text % 1', 'write {{ pattern | format(value) }} instead of %, and ~ instead of +'),
  gives("text.split(' ') | list ~ ','.join(words)", '["Hello", "World"]b,a'),
  gives("'a b c'.rsplit(' ', 1)", '["a b", "c"]'),
  gives("text.replace('l', 'L') ~ text.lower() ~ text.upper()", 'HeLLo WorLdhello worldHELLO WORLD'),
  gives("text.startswith('H') ~ text.endswith('d') ~ ' a '.strip()", 'truetruea'),
  gives("'7'.zfill(3) ~ 'a'.ljust(3) ~ 'a'.rjust(3) ~ 'a'.center(3)", '007a    a a '),
  gives("'ab'.removeprefix('a') ~ 'ab'.removesuffix('b')", 'ba'),
  gives(
    'map.keys() | list ~ map.values() | list ~ map.items() | list',
    '["a", "b"][2, 1][["a", 2], ["b", 1]]',
  ),
  gives('text[0:5] ~ text[-3:] ~ list[::-1]', 'Hellorld[2, 1, 3]'),
  gives("('a' if list else 'b') ~ 7 // 2 ~ 7 % 4 ~ 2 ** 3", 'a338'),
  gives('range(3) | list ~ dict(a=1)', '[0, 1, 2]{"a": 1}'),
  refused('text.swapcase()', 'write a filter: README.md in the templates folder lists them'),
  refused(
    'list.append(4)',
    'write {% set list = list + [value] %}; in a loop, {% set ns.list = ns.list + [value] %} of a namespace',
  ),
  refused("map.update({'a': 1})", "write {% set map = map | combine({'key': value}) %}"),
]

export const jinjaRows: readonly JinjaRow[] = [...engineRows, ...ansibleRows, ...testRows, ...pythonRows]
