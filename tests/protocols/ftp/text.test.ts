import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Failure, type FailureKind } from '../../../server/core/failure.ts'
import { formatPort, isSameAddress, parseEprt, parsePort } from '../../../server/protocols/ftp/addresses.ts'
import { describeCommand, parseCommand } from '../../../server/protocols/ftp/command.ts'
import { LineReader, tooLong } from '../../../server/protocols/ftp/line.ts'
import { failureReply, quotePath, reply, replyLines } from '../../../server/protocols/ftp/reply.ts'

describe('control lines', () => {
  const read = (...chunks: (string | number[])[]) => {
    const reader = new LineReader(16)
    return chunks.flatMap((chunk) =>
      reader.push(typeof chunk === 'string' ? Buffer.from(chunk) : Uint8Array.from(chunk)),
    )
  }

  test('end with CRLF or LF', () => expect(read('NOOP\r\nPWD\n')).toEqual(['NOOP', 'PWD']))
  test('may come in many segments', () => expect(read('NO', 'OP\r', '\n')).toEqual(['NOOP']))
  test('may hold a lone CR', () => expect(read('a\rb\r\n')).toEqual(['a\rb']))
  test('are UTF-8, cut anywhere', () => {
    const bytes = [...Buffer.from('CWD é€\r\n')]
    expect(read(...bytes.map((byte) => [byte]))).toEqual(['CWD é€'])
  })
  test('lose their telnet commands: IAC IP, IAC DM before ABOR', () =>
    expect(read([0xff, 0xf4, 0xff, 0xf2], 'ABOR\r\n')).toEqual(['ABOR']))
  test('lose an IAC whose DM went as urgent data', () =>
    expect(read([0xff, 0xf4, 0xff], 'ABOR\r\n')).toEqual(['ABOR']))
  test('lose telnet options with their argument', () =>
    expect(read('NO', [0xff, 0xfd, 0x01], 'OP\r\n')).toEqual(['NOOP']))
  test('over the limit are reported once, and the next one is read', () =>
    expect(read('x'.repeat(40), 'y\r\nNOOP\r\n')).toEqual([tooLong, 'NOOP']))
  test('of exactly the limit are read', () => {
    expect(read(`${'x'.repeat(15)}\r\n`)).toEqual(['x'.repeat(15)])
    expect(read(`${'x'.repeat(17)}\n`)).toEqual([tooLong])
  })

  test('are the same however they are cut', () => {
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
    ['all after the first space is the argument, spaces too', 'RETR  a b ', 'RETR', ' a b '],
    ['the old names with X are the same commands', 'XPWD', 'PWD', ''],
    ['an unknown verb is still a command', 'FROB it', 'FROB', 'it'],
    ['a control character stays, for the path cleaner to refuse', 'RETR a\rb', 'RETR', 'a\rb'],
  ])('%s', (_, line, verb, argument) => expect(parseCommand(line)).toEqual({ verb, argument }))

  test.each(['', ' ', '123', '\u0000', 'RE\tTR x', '-', `${'A'.repeat(17)}`])('%j is none', (line) =>
    expect(parseCommand(line)).toBeUndefined(),
  )

  test('are told without passwords and without control characters', () => {
    expect(describeCommand({ verb: 'PASS', argument: 'secret' })).toBe('PASS ***')
    expect(describeCommand({ verb: 'CWD', argument: 'a\u001b[2J' })).toBe('CWD "a\\u001b[2J"')
  })
})

describe('addresses', () => {
  test('PORT and PASV are each other in reverse', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.nat(65535), (address, port) => {
        expect(parsePort(formatPort({ address, port }))).toEqual({ address, port })
      }),
    )
  })
  test.each([
    '',
    '1,2,3,4,5',
    '1,2,3,4,5,256',
    '1,2,3,4,5,6,7',
    '1.2.3.4,5,6',
    ' 1,2,3,4,5,6',
    '-1,2,3,4,5,6',
  ])('PORT %j is refused', (argument) => expect(parsePort(argument)).toBeUndefined())
  test('EPRT takes both families and any delimiter', () => {
    expect(parseEprt('|1|192.0.2.7|5000|')).toEqual({ address: '192.0.2.7', port: 5000 })
    expect(parseEprt('!2!2001:db8::1!65535!')).toEqual({ address: '2001:db8::1', port: 65535 })
  })
  test.each([
    '',
    '|',
    '|1|192.0.2.7|5000',
    '|1|2001:db8::1|5000|',
    '|2|192.0.2.7|5000|',
    '|1|localhost|5000|',
    '|1|192.0.2.7|65536|',
  ])('EPRT %j is refused', (argument) => expect(parseEprt(argument)).toBeUndefined())
  test('EPRT of another family says so', () => expect(parseEprt('|3|x|1|')).toBe('family'))
  test('an address is the same in every spelling', () => {
    expect(isSameAddress('2001:DB8:0::1', '2001:db8::1')).toBe(true)
    expect(isSameAddress('192.0.2.1', '192.0.2.2')).toBe(false)
    expect(isSameAddress('nonsense', 'nonsense')).toBe(false)
  })
})

describe('replies', () => {
  test('stay on one line, whatever the name holds', () => {
    expect(reply(550, 'a\r\n226 done\u001b')).toBe('550 a??226 done?\r\n')
  })
  test('of several lines never have a line that could end them early', () => {
    expect(replyLines(211, 'Features', ['SIZE', '211 End'], 'End')).toBe(
      '211-Features\r\n SIZE\r\n 211 End\r\n211 End\r\n',
    )
  })
  test('double the quotes of a path', () => expect(quotePath('/a"b')).toBe('"/a""b"'))
  test('to failures never tell where our files are', () => {
    const kinds: FailureKind[] = ['bad-request', 'not-found', 'forbidden', 'conflict', 'read-only']
    const more: FailureKind[] = ['too-large', 'unsupported', 'invalid-data', 'unavailable', 'internal']
    for (const kind of [...kinds, ...more]) {
      const text = failureReply(new Failure(kind, '/srv/trees/x is broken'), '/x')
      expect(text).toMatch(/^[45]\d\d \/x: [^/]+\r\n$/)
    }
    expect(failureReply(Object.assign(new Error("ENOENT, open '/srv/x'"), { code: 'ENOENT' }))).toBe(
      '550 No such file or folder\r\n',
    )
  })
})
