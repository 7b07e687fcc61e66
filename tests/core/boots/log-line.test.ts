import { describe, expect, test } from 'vitest'
import { meaningOf, withLine } from '../../../server/core/boots/log-line.ts'

const said = (text: string, severity = 6, program = 'anaconda') => meaningOf({ severity, program, text })

describe('a line says which stage began', () => {
  test.each([
    ['Installing bash.x86_64 (12/412)', 'package 12 of 412'],
    ['Installing glibc-common-2.39-8.fc40 (12/412)', 'package 12 of 412'],
    ['Installing: aaa_base-84.87.x86_64 [3/20]', 'package 3 of 20'],
    ['Installed: bash-5.2.26-3.fc40.x86_64 1707337433 abcdef', 'package bash-5.2.26-3.fc40.x86_64'],
    ['Unpacking libc6 (2.36-9+deb12u9) ...', 'unpacking libc6'],
    ['Setting up grub-pc (2.06-13+deb12u1) ...', 'setting up grub-pc'],
    ["INFO: Menu item 'partman-base' selected", 'partman-base'],
    ['info: Running /usr/lib/finish-install.d/94random-seed', 'finish-install 94random-seed'],
    [
      'start: cmd-install/stage-extract/builtin/cmd-extract: curtin command extract',
      'cmd-install/stage-extract/builtin/cmd-extract',
    ],
  ])('%s', (text, stage) => {
    expect(said(text)).toEqual({ stage })
  })
})

describe('a line says what went wrong', () => {
  test.each([
    ['WARNING **: Configuring bootstrap-base failed with error code 1', 4, 'main-menu'],
    ['Kernel panic - not syncing: VFS: Unable to mount root fs', 1, 'kernel'],
    ['error: No space left on device', 6, 'dnf'],
    ['cannot open the repository', 3, 'packaging'],
  ])('%s', (text, severity, program) => {
    expect(said(text, severity, program)).toEqual({ fault: text })
  })

  test('of a traceback the last line, as rsyslog writes its line feeds', () => {
    const text = 'Traceback (most recent call last):#012  File "x.py", line 3#012ValueError: no disk#012'
    expect(said(text)).toEqual({ fault: 'Traceback: ValueError: no disk' })
  })
})

test.each([
  [
    'what the firmware did wrong is no fault of the installer',
    'ACPI BIOS Error (bug): Could not resolve',
    3,
    'kernel',
  ],
  [
    'a package with such a name is no fault',
    'Selecting previously unselected package liberror-perl.',
    6,
    'in-target',
  ],
  ['a sentence about errors is none', 'found 0 errors', 6, 'fsck'],
])('%s', (_name, text, severity, program) => {
  expect(said(text, severity, program)).toEqual({})
})

test('words are the newest, stage and fault stay until there is another', () => {
  const lines = ['Installing bash.x86_64 (1/2)', 'error: disk full', 'bye'].map((text) => ({
    severity: 6,
    program: 'dnf',
    text,
  }))
  expect(
    lines.reduce<Parameters<typeof withLine>[0]>((before, line) => withLine(before, line), undefined),
  ).toEqual({
    words: 'dnf: bye',
    stage: 'package 1 of 2',
    fault: 'error: disk full',
  })
  expect(withLine(undefined, { severity: 6, program: '', text: 'bare' })).toEqual({ words: 'bare' })
})

test('a line of 8 KiB is read in no time', () => {
  const startMs = performance.now()
  for (const part of [
    'Installing ',
    '(',
    'a',
    '1/',
    'error ',
    'start: /',
    '#012',
    'Traceback (most recent call last)',
  ])
    said(part.repeat(8192 / part.length))
  expect(performance.now() - startMs).toBeLessThan(500)
})
