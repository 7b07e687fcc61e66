import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  describeCommand,
  LineReader,
  parseCommand,
  tooLong,
} from '../../../../server/protocols/ftp/line/command.ts'

describe('control lines', () => {
  const read = (...chunks: (string | number[])[]) => {
    const reader = new LineReader(16)
    return chunks.flatMap((chunk) =>
      reader.push(typeof chunk === 'string' ? Buffer.from(chunk) : Uint8Array.from(chunk)),
    )
  }

  test('end with CRLF or LF', () => expect(read('NOOP\r\nPWD\n')).toEqual(['NOOP', 'PWD']))
  test('may come in many segments', () => expect(read('NO', 'OP\r', '\n')).toEqual(['NOOP']))
  test('may contain a CR', () => expect(read('a\rb\r\n')).toEqual(['a\rb']))
  test('are UTF-8, cut anywhere', () => {
    const bytes = [...Buffer.from('CWD é€\r\n')]
    expect(read(...bytes.map((byte) => [byte]))).toEqual(['CWD é€'])
  })
  test('are freed of Telnet commands: IAC IP, IAC DM before ABOR', () =>
    expect(read([0xff, 0xf4, 0xff, 0xf2], 'ABOR\r\n')).toEqual(['ABOR']))
  test('are freed of an IAC whose DM went as urgent data', () =>
    expect(read([0xff, 0xf4, 0xff], 'ABOR\r\n')).toEqual(['ABOR']))
  test('are freed of Telnet options with their argument', () =>
    expect(read('NO', [0xff, 0xfd, 0x01], 'OP\r\n')).toEqual(['NOOP']))
  test('over the limit are reported once, and the next one is read', () =>
    expect(read('x'.repeat(40), 'y\r\nNOOP\r\n')).toEqual([tooLong, 'NOOP']))
  test('of exactly the limit are read', () => {
    // 16 bytes with the CR.
    expect(read(`${'x'.repeat(15)}\r\n`)).toEqual(['x'.repeat(15)])
    expect(read(`${'x'.repeat(17)}\n`)).toEqual([tooLong])
  })

  test('are the same, however the bytes are cut into chunks', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(200)), (bytes, cuts) => {
        const whole = new LineReader(32).push(bytes)
        const reader = new LineReader(32)
        const edges = [
          0,
          ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b),
          bytes.length,
        ]
        const parts = edges.flatMap((edge, i) =>
          reader.push(bytes.subarray(edge, edges[i + 1] ?? bytes.length)),
        )
        expect(parts).toEqual(whole)
      }),
    )
  })
})

describe('commands', () => {
  test.each([
    ['a verb alone has no argument', 'NOOP', 'NOOP', ''],
    ['the verb may be in any case', 'retr x', 'RETR', 'x'],
    ['everything after the first space is the argument, spaces too', 'RETR  a b ', 'RETR', ' a b '],
    ['the old names with X are the same commands', 'XPWD', 'PWD', ''],
    ['an unknown verb is still a command', 'FROB it', 'FROB', 'it'],
    ['a control character stays, for the path cleaner to refuse', 'RETR a\rb', 'RETR', 'a\rb'],
  ])('%s', (_, line, verb, argument) => expect(parseCommand(line)).toEqual({ verb, argument }))

  test.each(['', ' ', '123', '\u0000', 'RE\tTR x', '-', `${'A'.repeat(17)}`])('%j is not a command', (line) =>
    expect(parseCommand(line)).toBeUndefined(),
  )

  test('appear in the log without passwords and without control characters', () => {
    expect(describeCommand({ verb: 'PASS', argument: 'secret' })).toBe('PASS ***')
    expect(describeCommand({ verb: 'CWD', argument: 'a\u001b[2J' })).toBe('CWD "a\\u001b[2J"')
  })
})
