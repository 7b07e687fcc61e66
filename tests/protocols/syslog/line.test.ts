import { describe, expect, test } from 'vitest'
import { parseLine } from '../../../server/protocols/syslog/line.ts'

const read = (line: string) => parseLine(Buffer.from(line))

describe('a line is read as its sender meant it', () => {
  test.each([
    // Sent by the programs, and recorded: tests/interop/syslog-clients.test.ts asks them anew.
    ['logger --rfc3164', '<13>Dec  1 01:08:33 web01 root: hello', 5, 'root', 'hello'],
    ['logger -i', '<13>Dec  1 01:08:33 web01 root[512]: hello', 5, 'root', 'hello'],
    [
      'logger --rfc5424',
      '<13>1 2026-12-01T01:08:33.123456+00:00 web01 root - - [timeQuality tzKnown="1" isSynced="0"] hello',
      5,
      'root',
      'hello',
    ],
    ['busybox syslogd -R', '<13>Dec  1 01:08:33 root: hello', 5, 'root', 'hello'],
    [
      'rsyslog, as ForwardFormat',
      '<30>2026-12-01T01:08:33.1+01:00 web01 anaconda[9]: hello',
      6,
      'anaconda',
      'hello',
    ],
    [
      'the kernel of debian-installer',
      '<6>Dec  1 01:08:33 kernel: [    1.2] eth0: up',
      6,
      'kernel',
      '[    1.2] eth0: up',
    ],
    ['RFC 5424 without any value', '<0>1 - - - - - -', 0, '', ''],
    ['RFC 5424 with data that has brackets', '<11>1 - h p - - [a@1 b="]\\"x"][c@2] text', 3, 'p', 'text'],
    ['RFC 5424 with a byte order mark', '<11>1 - h p - - - \ufeffgrüße', 3, 'p', 'grüße'],
    ['no priority and no time', 'error: no disk', 5, '', 'error: no disk'],
    ['a priority that is none', '<999>hello', 5, '', '<999>hello'],
    ['a year in the time', '<14>Dec  1 2026 01:08:33 h prog: text', 6, 'prog', 'text'],
    [
      'a text with colons',
      '<14>Dec  1 01:08:33 h dhclient: bound: 10.0.0.1',
      6,
      'dhclient',
      'bound: 10.0.0.1',
    ],
  ])('%s', (_name, line, ...[severity, program, text]) => {
    expect(read(line)).toEqual({ severity, program, text })
  })
})

test('control characters, escapes and marks of direction are harmless', () => {
  const { text } = read('<13>Dec  1 01:08:33 h p: a\x1b[31mred\x07 b\u202ec\u2028d\x9be\tf\0\r\n')
  expect(text).toBe('a?[31mred? b?c?d?e f')
  expect(read('<13>Dec  1 01:08:33 h p: <script>alert(1)</script>').text).toBe('<script>alert(1)</script>')
})

test('what is no UTF-8 is read, too', () => {
  expect(parseLine(Buffer.from([0x61, 0xff, 0xfe, 0x62])).text).toBe('a\ufffd\ufffdb')
})

test('a line of 8 KiB costs no more than its length', () => {
  const hostile = ['[', '"', '\\', ' ', ':', '<1>', 'a ', '1 ', '[a@1 b="'].map((part) =>
    part.repeat(8192 / part.length),
  )
  const heads = ['', '<13>', '<13>1 ', '<13>1 - h p - - ', '<13>Dec  1 01:08:33 ']
  const startMs = performance.now()
  for (const head of heads) for (const body of hostile) read(head + body)
  expect(performance.now() - startMs).toBeLessThan(1000)
})
