import { describe, expect, test } from 'vitest'
import { Failure, type FailureKind } from '../../../../server/core/failure.ts'
import {
  failureReply,
  formatReply,
  quotePath,
  uploadFailureReply,
} from '../../../../server/protocols/ftp/line/reply.ts'

describe('replies', () => {
  test('stay on one line, whatever a name contains', () => {
    expect(formatReply({ code: 550, text: 'a\r\n226 done\u001b' })).toBe('550 a??226 done?\r\n')
  })
  test('of several lines cannot end before their last line', () => {
    expect(formatReply({ code: 211, first: 'Features', lines: ['SIZE', '211 End'], text: 'End' })).toBe(
      '211-Features\r\n SIZE\r\n 211 End\r\n211 End\r\n',
    )
  })
  test('double the quotes of a path', () => expect(quotePath('/a"b')).toBe('"/a""b"'))
  test('to failures never show a path of this machine', () => {
    const kinds: FailureKind[] = [
      'bad-request',
      'not-found',
      'forbidden',
      'conflict',
      'read-only',
      'too-large',
      'unsupported',
      'invalid-data',
      'unavailable',
      'internal',
    ]
    for (const kind of kinds) {
      const text = formatReply(failureReply(new Failure(kind, '/srv/trees/x is broken'), '/x'))
      expect(text).toMatch(/^[45]\d\d \/x: [^/]+\r\n$/)
    }
    const error = Object.assign(new Error("ENOENT, open '/srv/x'"), { code: 'ENOENT' })
    expect(failureReply(error)).toEqual({ code: 550, text: 'No such file or folder' })
  })

  test('to failures of the upload area carry their message, and a conflict is final', () => {
    expect(uploadFailureReply(new Failure('conflict', '/d exists'))).toEqual({ code: 550, text: '/d exists' })
    expect(uploadFailureReply(new Failure('too-large', '/x: 9 of 8 bytes'))).toEqual({
      code: 552,
      text: '/x: 9 of 8 bytes',
    })
    expect(uploadFailureReply(new Error('/srv/uploads is full')).text).not.toContain('/srv')
  })
})
